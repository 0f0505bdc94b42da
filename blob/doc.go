// Package blob keeps bytes under the SHA-256 of their content, in a folder or
// in a bucket, and knows nothing of what they mean.
//
// What [Store.Put] has acknowledged survives a kill and a power loss; what is
// not whole is never visible. The same bytes are stored once, however often and
// by however many processes they are put. Beside its bytes a blob may have
// derived objects, such as thumbnails, which can be lost and made again.
//
// A location is laid out the same way in a folder and in a bucket:
//
//	blobs/ab/abcd…            the bytes whose SHA-256 is abcd…
//	derived/ab/abcd….NAME     a derived object, after the SHA-256 of its own bytes
//	temp/…                    bytes on their way, in a folder only
//	lock                      held for the moment of a rename or a removal, in a folder only
//
// Failures are coded: not_found where a blob is absent, invalid where what was
// sent cannot be stored, unavailable where the folder or the bucket does not
// take or give bytes now; [ErrCorrupt] says that stored bytes have changed.
package blob

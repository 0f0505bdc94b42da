package blob

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/url"
	"os"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	cloud "gocloud.dev/blob"
	_ "gocloud.dev/blob/s3blob" // s3://
	"gocloud.dev/gcerrors"

	"remuda"
)

// bucket is a medium at a storage service. A draft is a file without a name on
// this machine until its hash, which is its key, is known; the service makes
// an upload visible when it is whole.
type bucket struct {
	cloud *cloud.Bucket
	name  string // for messages, without settings

	patience time.Duration // with the service

	// putting keeps removals away from uploads of this process. Keys that
	// share one of the locks wait for each other a little; nothing more.
	putting [256]sync.RWMutex
}

// openBucket opens a bucket by its URL and looks whether it is there.
func openBucket(ctx context.Context, u *url.URL) (*bucket, error) {
	name := u.Scheme + "://" + u.Host
	if u.Scheme == "s3" {
		u = s3URL(u)
	}
	opened, err := cloud.OpenBucket(ctx, u.String())
	if err != nil {
		return nil, remuda.Errorf(remuda.Invalid, "open the bucket %s: %w", name, err).
			WithHint("write it like s3://NAME?region=REGION, or s3://NAME?endpoint=https://HOST for another service than Amazon's")
	}
	b := &bucket{cloud: opened, name: name, patience: usualPatience}
	if err := b.check(ctx); err != nil {
		return nil, errors.Join(err, opened.Close())
	}
	return b, nil
}

// s3URL adds what servers other than Amazon's need: the bucket in the path,
// some region, and no checksums that they don't know.
func s3URL(u *url.URL) *url.URL {
	q := u.Query()
	if !q.Has("endpoint") {
		return u
	}
	for name, value := range map[string]string{
		"region":                       "us-east-1",
		"use_path_style":               "true",
		"request_checksum_calculation": "when_required",
		"response_checksum_validation": "when_required",
	} {
		if !q.Has(name) {
			q.Set(name, value)
		}
	}
	with := *u
	with.RawQuery = q.Encode()
	return &with
}

// check says whether the bucket is there and lets itself be listed.
func (b *bucket) check(ctx context.Context) error {
	ctx, w := b.wait(ctx)
	defer w.end()
	ok, err := b.cloud.IsAccessible(ctx)
	if err != nil {
		return b.failed(ctx, "reach", err)
	}
	if !ok {
		return remuda.Errorf(remuda.Unavailable, "the bucket %s does not exist", b.name).
			WithHint("create it, or check its name, region and endpoint")
	}
	return nil
}

// Close lets go of connections.
func (b *bucket) Close() error { return b.cloud.Close() }

// lockOf returns what keeps puts and removals of a key apart.
func (b *bucket) lockOf(key string) *sync.RWMutex {
	var sum byte
	for _, c := range []byte(key) {
		sum = sum*31 + c
	}
	return &b.putting[sum]
}

func (b *bucket) create(context.Context) (draft, error) {
	f, err := os.CreateTemp("", "remuda-upload-")
	if err != nil {
		return nil, spoolFailed(err)
	}
	if err := os.Remove(f.Name()); err != nil { // so that nothing stays, however this process ends
		return nil, errors.Join(spoolFailed(err), f.Close())
	}
	return &bucketDraft{bucket: b, file: f}, nil
}

func spoolFailed(err error) error {
	return remuda.Errorf(remuda.Unavailable, "keep an upload in the folder for temporary files: %w", err).
		WithHint("free some space there, or name another folder in TMPDIR")
}

// bucketDraft is a file without a name.
type bucketDraft struct {
	bucket *bucket
	file   *os.File
}

func (d *bucketDraft) Write(p []byte) (int, error) {
	n, err := d.file.Write(p)
	if err != nil {
		err = spoolFailed(err)
	}
	return n, err
}

func (d *bucketDraft) discard() { d.file.Close() }

func (d *bucketDraft) commit(ctx context.Context, key string, _ bool) error {
	defer d.file.Close()
	if _, err := d.file.Seek(0, io.SeekStart); err != nil {
		return spoolFailed(err)
	}
	l := d.bucket.lockOf(key)
	l.RLock()
	defer l.RUnlock()
	ctx, w := d.bucket.wait(ctx)
	defer w.end()
	err := d.bucket.cloud.Upload(ctx, key, &patientFile{d.file, w}, &cloud.WriterOptions{ContentType: "application/octet-stream"})
	if err != nil {
		return d.bucket.failed(ctx, "write to", err)
	}
	return nil
}

func (b *bucket) open(ctx context.Context, key string) (io.ReadSeekCloser, object, error) {
	ctx, w := b.wait(ctx)
	r, err := b.cloud.NewReader(ctx, key, nil)
	w.answered()
	if err != nil {
		err = b.absent(ctx, "read from", err)
		w.end()
		return nil, object{}, err
	}
	return &patientBody{r, w}, object{key, r.Size(), r.ModTime()}, nil
}

func (b *bucket) stat(ctx context.Context, key string) (object, error) {
	ctx, w := b.wait(ctx)
	defer w.end()
	a, err := b.cloud.Attributes(ctx, key)
	if err != nil {
		return object{}, b.absent(ctx, "read from", err)
	}
	return object{key, a.Size, a.ModTime}, nil
}

func (b *bucket) touch(ctx context.Context, key string) error {
	l := b.lockOf(key)
	l.RLock()
	defer l.RUnlock()
	// S3 refuses a copy onto itself that changes nothing.
	replace := func(as func(any) bool) error {
		var in *s3.CopyObjectInput
		if as(&in) {
			in.MetadataDirective = s3types.MetadataDirectiveReplace
		}
		return nil
	}
	ctx, w := b.wait(ctx)
	defer w.end()
	w.copy()
	if err := b.cloud.Copy(ctx, key, key, &cloud.CopyOptions{BeforeCopy: replace}); err != nil {
		return b.absent(ctx, "write to", err)
	}
	return nil
}

func (b *bucket) removeBefore(ctx context.Context, key string, before time.Time) (bool, error) {
	if !before.IsZero() {
		l := b.lockOf(key)
		if !l.TryLock() { // an upload can take long; a later sweep comes by again
			return false, nil
		}
		defer l.Unlock()
		if obj, err := b.stat(ctx, key); err != nil || !obj.modTime.Before(before) {
			return false, unlessNotFound(err)
		}
	}
	ctx, w := b.wait(ctx)
	defer w.end()
	if err := b.cloud.Delete(ctx, key); err != nil {
		return false, unlessNotFound(b.absent(ctx, "remove from", err))
	}
	return true, nil
}

func (b *bucket) list(ctx context.Context, prefix string) iter.Seq2[object, error] {
	return func(yield func(object, error) bool) {
		ctx, w := b.wait(ctx)
		defer w.end()
		for it := b.cloud.List(&cloud.ListOptions{Prefix: prefix}); ; {
			w.ask()
			o, err := it.Next(ctx)
			w.answered()
			if err == io.EOF {
				return
			}
			if err != nil {
				yield(object{}, b.absent(ctx, "list", err))
				return
			}
			if !yield(object{o.Key, o.Size, o.ModTime}, nil) {
				return
			}
		}
	}
}

// absent tells an object that is not there from a bucket that is not; services
// answer both alike.
func (b *bucket) absent(ctx context.Context, action string, err error) error {
	if gcerrors.Code(err) != gcerrors.NotFound {
		return b.failed(ctx, action, err)
	}
	if gone := b.check(ctx); gone != nil {
		return gone
	}
	return remuda.Errorf(remuda.NotFound, "%w", remuda.Inside("it is not there", fmt.Errorf("it is not in the bucket %s: %w", b.name, err)))
}

// failed gives an error of the service its code and says what to do.
func (b *bucket) failed(ctx context.Context, action string, err error) error {
	if silent(ctx) {
		return b.unanswered(action, err)
	}
	if isContext(err) {
		return err
	}
	e := b.unavailable(action, err)
	switch gcerrors.Code(err) {
	case gcerrors.PermissionDenied:
		return e.WithHint("give the bucket's access key the right to list, read, write and delete")
	case gcerrors.NotFound:
		return e.WithHint("create the bucket, or check its name, region and endpoint")
	}
	return e.WithHint("check that its service can be reached, then try again")
}

func (b *bucket) unavailable(action string, err error) *remuda.Error {
	return remuda.Errorf(remuda.Unavailable, "%w", remuda.Inside(action+" the server's files", fmt.Errorf("%s the bucket %s: %w", action, b.name, err)))
}

// schemeTags are the build tags that other services need.
var schemeTags = map[string]string{"gs": "gcs", "azblob": "azure"}

// unknownScheme says what this build can open.
func unknownScheme(scheme string) error {
	e := remuda.Errorf(remuda.Invalid, "this build cannot open %s:// buckets", scheme)
	if tag, ok := schemeTags[scheme]; ok {
		return e.WithHint("build it with go build -tags %s, or use a folder or s3://", tag)
	}
	return e.WithHint("give a folder, or a bucket as s3://NAME?region=REGION")
}

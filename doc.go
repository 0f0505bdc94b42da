// Package remuda holds the nouns of the loop from images to a detector, their
// rules and the codes of their errors. It knows no SQL, no HTTP and no tensors.
//
// Boxes everywhere inside are float pixels of the upright image (EXIF
// orientation applied), measured from the top-left corner of the top-left
// pixel: x0 y0 x1 y1, width = x1 − x0. Other conventions are converted at the
// border, in package format and in the HTTP faces.
package remuda

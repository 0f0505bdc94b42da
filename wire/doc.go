// Package wire has the requests and answers of our own API as both its server
// and its clients read and write them, one noun a file. Fields that an answer
// may leave out are marked omitempty.
//
// Boxes are float pixels of the upright image, measured from the top-left corner
// of its top-left pixel. Times are UTC with milliseconds, ids are opaque text.
package wire

// Package weights reads and writes files of named arrays: torchvision's .pth
// and .safetensors. It knows no models: which name means what is for the
// caller to say.
//
// A file may come from anywhere, so nothing in it is trusted: sizes are checked
// against the file before memory is taken, and a pickle is read by a machine
// that knows the few instructions which tensors need and runs no code.
//
// The package also keeps the catalogue of torchvision's pre-trained files, and
// the cache that they are downloaded into, and carries the starter backbone.
package weights

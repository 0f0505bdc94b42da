// Package tensor is the Go face of the native engine: tensors, operations,
// autograd, devices and scopes, all of them libtorch's, reached through the C
// shim whose source lies in tensor/shim and is embedded here. It knows nothing
// of detection.
//
// An Engine is one goroutine on one locked OS thread, because autograd's state,
// the thread count and CUDA's current device are per thread in libtorch. All
// work with tensors happens inside Engine.Do. Tensors are freed by scope:
// whatever is made inside Do, or inside a nested Scope, dies at its end unless
// it was kept. A finalizer would come too late, since the garbage collector
// sees none of the native memory.
//
// Operations panic with *Error when they fail, so that model code reads like
// the paper; Engine.Do turns that panic into an error. This is the one place in
// Remuda where a panic is part of an API, and it never leaves Do.
//
// Images and feature maps are [N, C, H, W] in channels-last memory.
package tensor

package tensor

import (
	"fmt"
	"slices"
	"unsafe"
)

// DType is the type of a tensor's elements.
type DType int

// The element types; the shim knows them by these numbers.
const (
	Float32 DType = iota
	BFloat16
	Float16
	Int64
	Int32
	Uint8
)

// String returns the type's name.
func (d DType) String() string {
	return [...]string{"float32", "bfloat16", "float16", "int64", "int32", "uint8"}[d]
}

// Tensor is a handle to a native tensor. Its methods may be called only inside
// Do of its engine; using it after its scope has ended is an *Error.
type Tensor struct {
	e      *Engine
	handle uintptr // 0 when freed
	dtype  DType
	shape  []int
	scope  int // index of the engine's scope that frees it; −1 when kept
}

// FromFloat32 copies data, in row-major order, to a new tensor on the engine's
// device. No shape makes a scalar.
func (e *Engine) FromFloat32(data []float32, shape ...int) *Tensor {
	e.mustFit("from_host", len(data), shape)
	return e.call("from_host", 1, args{ints: int64s(int(Float32), 0, shape), data: unsafe.Pointer(unsafe.SliceData(data))})[0]
}

// FromFloat32ChannelsLast copies data laid out as N, H, W, C to a tensor of
// shape [n, c, h, w] in channels-last memory.
func (e *Engine) FromFloat32ChannelsLast(data []float32, n, c, h, w int) *Tensor {
	shape := []int{n, c, h, w}
	e.mustFit("from_host", len(data), shape)
	return e.call("from_host", 1, args{ints: int64s(int(Float32), 1, shape), data: unsafe.Pointer(unsafe.SliceData(data))})[0]
}

// FromInt64 copies data, in row-major order, to a new int64 tensor.
func (e *Engine) FromInt64(data []int64, shape ...int) *Tensor {
	e.mustFit("from_host", len(data), shape)
	return e.call("from_host", 1, args{ints: int64s(int(Int64), 0, shape), data: unsafe.Pointer(unsafe.SliceData(data))})[0]
}

// Zeros makes a tensor of zeros.
func (e *Engine) Zeros(dt DType, shape ...int) *Tensor {
	return e.call("zeros", 1, args{ints: int64s(int(dt), 0, shape)})[0]
}

// Shape returns a copy of the dimensions.
func (t *Tensor) Shape() []int { return slices.Clone(t.shape) }

// Dim returns the size of dimension i; negative i count from the end.
func (t *Tensor) Dim(i int) int {
	if i < 0 {
		i += len(t.shape)
	}
	if i < 0 || i >= len(t.shape) {
		panic(&Error{Op: "dim", Text: fmt.Sprintf("dimension %d of a tensor of shape %v", i, t.shape)})
	}
	return t.shape[i]
}

// Len returns the number of elements.
func (t *Tensor) Len() int { return product(t.shape) }

// DType returns the type of the elements.
func (t *Tensor) DType() DType { return t.dtype }

// Engine returns the engine that owns the tensor.
func (t *Tensor) Engine() *Engine { return t.e }

// Keep takes t out of its scope: it lives until Free. It returns t.
func (t *Tensor) Keep() *Tensor {
	t.leave()
	return t
}

// Lift moves t to the scope around its own, and returns it. In the outermost
// scope of Do it is the same as Keep.
func (t *Tensor) Lift() *Tensor {
	if at := t.leave(); at > 0 {
		t.e.adopt(t, at-1)
	}
	return t
}

// Free frees t now. Memory that autograd still needs lives on in the graph.
// Freeing twice is no error.
func (t *Tensor) Free() {
	if t.handle == 0 {
		return
	}
	t.leave()
	t.e.release([]*Tensor{t})
}

// Float32s returns a copy of the elements in row-major order, converted to float32.
func (t *Tensor) Float32s() []float32 {
	out := make([]float32, t.Len())
	t.e.call("to_host", 0, args{in: []*Tensor{t}, ints: []int64{int64(Float32)}, data: unsafe.Pointer(unsafe.SliceData(out))})
	return out
}

// Float32sChannelsLast returns a copy of the elements of a [N, C, H, W] tensor
// in N, H, W, C order, converted to float32.
func (t *Tensor) Float32sChannelsLast() []float32 { return t.Permute(0, 2, 3, 1).Float32s() }

// Int64s returns a copy of the elements in row-major order, converted to int64.
func (t *Tensor) Int64s() []int64 {
	out := make([]int64, t.Len())
	t.e.call("to_host", 0, args{in: []*Tensor{t}, ints: []int64{int64(Int64)}, data: unsafe.Pointer(unsafe.SliceData(out))})
	return out
}

// Item returns the value of a tensor with one element.
func (t *Tensor) Item() float64 {
	out := []float64{0}
	t.e.call("item", 0, args{in: []*Tensor{t}, data: unsafe.Pointer(unsafe.SliceData(out))})
	return out[0]
}

// SetFloat32s overwrites the elements, given in row-major order, in place;
// autograd does not see it.
func (t *Tensor) SetFloat32s(data []float32) {
	t.e.mustFit("set", len(data), t.shape)
	t.e.call("set", 0, args{in: []*Tensor{t}, data: unsafe.Pointer(unsafe.SliceData(data))})
}

// Set overwrites the elements with those of o, of the same shape and any type,
// in place; autograd does not see it.
func (t *Tensor) Set(o *Tensor) { t.e.call("copy", 0, args{in: []*Tensor{t, o}}) }

// To converts to another element type, keeping the memory layout. It is t's
// own data when the type is the same already.
func (t *Tensor) To(dt DType) *Tensor { return t.op("to", ints(int(dt))) }

// ChannelsLast returns a [N, C, H, W] tensor in channels-last memory: t's own
// data when it is laid out so already.
func (t *Tensor) ChannelsLast() *Tensor { return t.op("channels_last", args{}) }

// Detach returns t's data cut off from its history.
func (t *Tensor) Detach() *Tensor { return t.op("detach", args{}) }

// RequiresGrad says whether Backward shall accumulate a gradient for t, which
// must be a leaf. It returns t.
func (t *Tensor) RequiresGrad(on bool) *Tensor {
	t.e.call("requires_grad", 0, args{in: []*Tensor{t}, ints: []int64{flag(on)}})
	return t
}

// NeedsGrad reports whether t is recorded by autograd: a leaf that requires a
// gradient, or the result of one.
func (t *Tensor) NeedsGrad() bool {
	out := []int64{0}
	t.e.call("needs_grad", 0, args{in: []*Tensor{t}, data: unsafe.Pointer(unsafe.SliceData(out))})
	return out[0] != 0
}

// Backward computes the gradients of t, a scalar, with respect to all leaves
// that require one and adds them up there. It frees the graph.
func (t *Tensor) Backward() { t.e.call("backward", 0, args{in: []*Tensor{t}}) }

// Grad returns the accumulated gradient, or nil if there is none.
func (t *Tensor) Grad() *Tensor { return t.e.call("grad", 1, args{in: []*Tensor{t}})[0] }

// ZeroGrad drops the accumulated gradient, and with it its memory.
func (t *Tensor) ZeroGrad() { t.e.call("zero_grad", 0, args{in: []*Tensor{t}}) }

// leave takes t out of its scope's list and returns the scope it was in, or −1.
func (t *Tensor) leave() int {
	at := t.scope
	if at >= 0 {
		list := t.e.scopes[at]
		if i := lastIndex(list, t); i >= 0 { // the newest are the likeliest
			t.e.scopes[at] = slices.Delete(list, i, i+1)
		}
	}
	t.scope = -1
	return at
}

func lastIndex(list []*Tensor, t *Tensor) int {
	for i := len(list) - 1; i >= 0; i-- {
		if list[i] == t {
			return i
		}
	}
	return -1
}

func (e *Engine) adopt(t *Tensor, scope int) {
	t.scope = scope
	e.scopes[scope] = append(e.scopes[scope], t)
}

func (e *Engine) mustFit(op string, n int, shape []int) {
	if n != product(shape) {
		panic(&Error{Op: op, Text: fmt.Sprintf("%d values for shape %v", n, shape)})
	}
}

func product(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

func flag(on bool) int64 {
	if on {
		return 1
	}
	return 0
}

// int64s packs the two leading arguments and a list of sizes.
func int64s(a, b int, list []int) []int64 {
	out := make([]int64, 0, len(list)+2)
	out = append(out, int64(a), int64(b))
	for _, v := range list {
		out = append(out, int64(v))
	}
	return out
}

package tensor

import "unsafe"

// Samples are the places where a feature pyramid is read with gradient: boxes,
// pooled by RoIAlign, and 3×3 neighbourhoods of single locations.
type Samples struct {
	// Scales has for each level the ratio of feature to image, 1/stride.
	Scales []float64

	RoIs     []float32 // [K, 4] x0 y0 x1 y1, pixels of the batch's images
	RoIImage []int32   // [K] index in the batch
	RoILevel []int32   // [K] index of the level
	Size     int       // bins a side of RoIAlign, at most 16
	Ratio    int       // sampling points a side of a bin, at most 4

	// Patches has for each location its level, image, y and x: [P, 4].
	// Neighbours beyond the border are 0.
	Patches []int32

	composite bool // read with libtorch's own operations, as other devices do
}

// Sample reads the pyramid, levels [N, C, H, W] of one C and type, as one
// autograd node, so that backward writes one gradient a level. pooled is
// [K, C·Size·Size] in C, y, x order: RoIAlign of He et al., Mask R-CNN, 2017,
// in torchvision's arithmetic with aligned=false. patches is [P, C·9] in
// C, y, x order. Either is nil when there is nothing to read.
func (e *Engine) Sample(levels []*Tensor, s Samples) (pooled, patches *Tensor) {
	k, p := len(s.RoIs)/4, len(s.Patches)/4
	if len(s.RoIs) != 4*k || len(s.RoIImage) != k || len(s.RoILevel) != k || len(s.Patches) != 4*p || len(s.Scales) != len(levels) {
		panic(&Error{Op: "sample", Text: "lists of different lengths"})
	}
	places := make([]int32, 0, 2*k+4*p)
	places = append(append(append(places, s.RoIImage...), s.RoILevel...), s.Patches...)
	out := e.call("sample", 2, args{in: levels, floats: s.Scales,
		ints:  []int64{int64(k), int64(p), int64(s.Size), int64(s.Ratio), flag(s.composite)},
		data:  unsafe.Pointer(unsafe.SliceData(s.RoIs)),
		data2: unsafe.Pointer(unsafe.SliceData(places))})
	return out[0], out[1]
}

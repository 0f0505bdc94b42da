package tensor

// SGD takes one step of stochastic gradient descent as torch defines it:
// g ← grad + weightDecay·p; m ← momentum·m + g; p ← p − lr·m, for each
// parameter that has a gradient. momenta start as zeros of the parameters'
// shapes. All are float32.
func (e *Engine) SGD(params, momenta []*Tensor, lr, momentum, weightDecay float64) {
	if len(params) != len(momenta) {
		panic(&Error{Op: "sgd", Text: "as many momenta as parameters are needed"})
	}
	in := append(append(make([]*Tensor, 0, 2*len(params)), params...), momenta...)
	e.call("sgd", 0, args{in: in, floats: []float64{lr, momentum, weightDecay}})
}

// Lerp moves each dst towards src in place: dst ← dst + weight·(src − dst).
// With weight 1 − decay it is one step of an exponential moving average.
func (e *Engine) Lerp(dst, src []*Tensor, weight float64) {
	if len(dst) != len(src) {
		panic(&Error{Op: "lerp", Text: "as many sources as destinations are needed"})
	}
	in := append(append(make([]*Tensor, 0, 2*len(dst)), dst...), src...)
	e.call("lerp", 0, args{in: in, floats: []float64{weight}})
}

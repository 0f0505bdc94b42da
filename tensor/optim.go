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

// ClipGradients scales the gradients of all parameters by one factor so that
// their Euclidean norm, taken together, is at most limit, as torch's
// clip_grad_norm_ does. It returns the norm that they had.
func (e *Engine) ClipGradients(params []*Tensor, limit float64) float64 {
	return e.call("clip_gradients", 1, args{in: params, floats: []float64{limit}})[0].Item()
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

package detect

// boxCoder turns a box into its offset from a reference box and back: the
// centre's shift in units of the reference's size and the logarithm of the
// change of size, each times a weight (Faster R-CNN, equation 2).
type boxCoder struct{ wx, wy, ww, wh float32 }

// The coders of the two stages, with torchvision's weights.
func proposalCoder() boxCoder  { return boxCoder{1, 1, 1, 1} }
func detectionCoder() boxCoder { return boxCoder{10, 10, 5, 5} }

// maxLogScale bounds the growth that decode believes: ln(1000/16), as torchvision has it.
const maxLogScale float32 = 4.135166556742356

// encode returns the offset of target from reference.
func (c boxCoder) encode(target, reference box) [4]float32 {
	rw, rh := reference.width(), reference.height()
	rx := reference.x0 + float32(0.5*rw)
	ry := reference.y0 + float32(0.5*rh)
	tw, th := target.width(), target.height()
	tx := target.x0 + float32(0.5*tw)
	ty := target.y0 + float32(0.5*th)
	return [4]float32{
		float32(c.wx*(tx-rx)) / rw,
		float32(c.wy*(ty-ry)) / rh,
		c.ww * log32(tw/rw),
		c.wh * log32(th/rh),
	}
}

// decode returns the box at an offset from reference.
func (c boxCoder) decode(offset []float32, reference box) box {
	w, h := reference.width(), reference.height()
	x := reference.x0 + float32(0.5*w)
	y := reference.y0 + float32(0.5*h)
	cx := float32(offset[0]/c.wx*w) + x
	cy := float32(offset[1]/c.wy*h) + y
	halfW := float32(0.5 * float32(exp32(min(offset[2]/c.ww, maxLogScale))*w))
	halfH := float32(0.5 * float32(exp32(min(offset[3]/c.wh, maxLogScale))*h))
	return box{cx - halfW, cy - halfH, cx + halfW, cy + halfH}
}

package detect

import (
	"fmt"

	"remuda/tensor"
)

// mobileNet is MobileNetV3-Large up to its last feature map.
type mobileNet struct {
	stem   *conv
	blocks []*invertedResidual
	last   *conv
}

// The feature maps that the pyramid stands on: of block 13 (stride 32) and of
// the last convolution, which has the same stride.
const mobileNetTap = 13

// invertedResidual is a block of MobileNetV3: 1×1 up, depthwise, squeeze and
// excitation, 1×1 down, plus the input where the shapes agree.
type invertedResidual struct {
	expand    *conv // nil where there is nothing to expand
	depthwise *conv
	squeeze   *squeezeExcitation // nil where the block has none
	project   *conv
	residual  bool
}

// squeezeExcitation scales channels by what their means say.
type squeezeExcitation struct{ fc1, fc2 *conv }

// mobileBlock is a row of table 1 of the MobileNetV3 paper.
type mobileBlock struct {
	kernel, expanded, out int
	squeeze               bool
	activation            tensor.Activation
	stride                int
}

// newMobileNet declares the network and returns the channels of its two
// feature maps. The last trainable of its six stages learn, the stem being the
// first and the last convolution the sixth.
func newMobileNet(s *store, trainable int) (*mobileNet, []int) {
	const re, hs = tensor.ReLU, tensor.HardSwish
	table := [...]mobileBlock{
		{3, 16, 16, false, re, 1},
		{3, 64, 24, false, re, 2},
		{3, 72, 24, false, re, 1},
		{5, 72, 40, true, re, 2},
		{5, 120, 40, true, re, 1},
		{5, 120, 40, true, re, 1},
		{3, 240, 80, false, hs, 2},
		{3, 200, 80, false, hs, 1},
		{3, 184, 80, false, hs, 1},
		{3, 184, 80, false, hs, 1},
		{3, 480, 112, true, hs, 1},
		{3, 672, 112, true, hs, 1},
		{5, 672, 160, true, hs, 2},
		{5, 960, 160, true, hs, 1},
		{5, 960, 160, true, hs, 1},
	}
	stages := [...]int{0, 2, 4, 7, 13, 16, 17} // first module of each stage, and the end
	learns := func(module int) bool { return module >= stages[6-trainable] }

	n := &mobileNet{stem: mobileConv(s, "backbone.body.0", 3, 16, 3, 2, 1, hs, learns(0))}
	in := 16
	for i, row := range table {
		name := fmt.Sprintf("backbone.body.%d.block", i+1)
		n.blocks = append(n.blocks, newInvertedResidual(s, name, in, row, learns(i+1)))
		in = row.out
	}
	n.last = mobileConv(s, "backbone.body.16", in, 6*in, 1, 1, 1, hs, learns(16))
	return n, []int{table[mobileNetTap-1].out, 6 * in}
}

// mobileConv declares a convolution with batch norm, modules 0 and 1 of name.
func mobileConv(s *store, name string, in, out, kernel, stride, groups int, act tensor.Activation, trainable bool) *conv {
	return s.conv(convLayer{
		name: name + ".0", norm: name + ".1", in: in, out: out, kernel: kernel, stride: stride, groups: groups,
		activation: act, fill: kaimingNormal(out, kernel), trainable: trainable,
	})
}

func newInvertedResidual(s *store, name string, in int, row mobileBlock, trainable bool) *invertedResidual {
	module := 0
	next := func() string { module++; return fmt.Sprintf("%s.%d", name, module-1) }
	b := &invertedResidual{residual: row.stride == 1 && in == row.out}
	if row.expanded != in {
		b.expand = mobileConv(s, next(), in, row.expanded, 1, 1, 1, row.activation, trainable)
	}
	b.depthwise = mobileConv(s, next(), row.expanded, row.expanded, row.kernel, row.stride, row.expanded, row.activation, trainable)
	if row.squeeze {
		b.squeeze = newSqueezeExcitation(s, next(), row.expanded, trainable)
	}
	b.project = mobileConv(s, next(), row.expanded, row.out, 1, 1, 1, tensor.None, trainable)
	return b
}

func newSqueezeExcitation(s *store, name string, channels int, trainable bool) *squeezeExcitation {
	squeezed := divisibleBy8(channels / 4)
	fc := func(name string, in, out int, act tensor.Activation) *conv {
		return s.conv(convLayer{name: name, in: in, out: out, kernel: 1, stride: 1, activation: act, fill: kaimingNormal(out, 1), trainable: trainable})
	}
	return &squeezeExcitation{
		fc1: fc(name+".fc1", channels, squeezed, tensor.ReLU),
		fc2: fc(name+".fc2", squeezed, channels, tensor.HardSigmoid),
	}
}

// divisibleBy8 rounds to a multiple of 8, at least 8 and not below 90 % of n.
func divisibleBy8(n int) int {
	rounded := max(8, (n+4)/8*8)
	if 10*rounded < 9*n {
		rounded += 8
	}
	return rounded
}

func (n *mobileNet) forward(x *tensor.Tensor) []*tensor.Tensor {
	e := x.Engine()
	tap := within(e, func() *tensor.Tensor {
		return n.through(n.blocks[:mobileNetTap], n.stem.forward(x, nil))
	})
	last := within(e, func() *tensor.Tensor {
		return n.last.forward(n.through(n.blocks[mobileNetTap:], tap), nil)
	})
	return []*tensor.Tensor{tap, last}
}

func (n *mobileNet) through(blocks []*invertedResidual, x *tensor.Tensor) *tensor.Tensor {
	for _, b := range blocks {
		x = within(x.Engine(), func() *tensor.Tensor { return b.forward(x) })
	}
	return x
}

func (b *invertedResidual) forward(x *tensor.Tensor) *tensor.Tensor {
	y := x
	if b.expand != nil {
		y = b.expand.forward(y, nil)
	}
	y = b.depthwise.forward(y, nil)
	if b.squeeze != nil {
		y = b.squeeze.forward(y)
	}
	if !b.residual {
		return b.project.forward(y, nil)
	}
	return b.project.forward(y, x)
}

func (q *squeezeExcitation) forward(x *tensor.Tensor) *tensor.Tensor {
	return x.Mul(q.fc2.forward(q.fc1.forward(x.MeanHW(), nil), nil))
}

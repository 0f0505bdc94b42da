package detect

import (
	"fmt"

	"remuda/tensor"
)

// resNet is ResNet-50 up to its last feature map, in torchvision's variant
// where the 3×3 convolution of a bottleneck has the stride.
type resNet struct {
	stem   *conv
	stages [4][]*bottleneck
}

// bottleneck is a residual block: 1×1 down, 3×3, 1×1 up, plus the input.
type bottleneck struct {
	conv1, conv2, conv3 *conv
	downsample          *conv // fits the input to the output; nil where they agree
}

// newResNet declares the network and returns the channels of its four feature
// maps. The last trainable of layer4, layer3, layer2, layer1 and stem learn.
func newResNet(s *store, trainable int) (*resNet, []int) {
	const body = "backbone.body."
	n := &resNet{stem: s.conv(convLayer{
		name: body + "conv1", norm: body + "bn1", in: 3, out: 64, kernel: 7, stride: 2,
		activation: tensor.ReLU, fill: kaimingNormal(64, 7), trainable: trainable >= 5,
	})}
	in, channels := 64, []int{}
	for i, blocks := range [...]int{3, 4, 6, 3} {
		width, stride := 64<<i, 2
		if i == 0 {
			stride = 1
		}
		for b := range blocks {
			name := fmt.Sprintf("%slayer%d.%d.", body, i+1, b)
			n.stages[i] = append(n.stages[i], newBottleneck(s, name, in, width, stride, trainable >= 4-i))
			in, stride = 4*width, 1
		}
		channels = append(channels, in)
	}
	return n, channels
}

func newBottleneck(s *store, name string, in, width, stride int, trainable bool) *bottleneck {
	part := func(conv, norm string, in, out, kernel, stride int, act tensor.Activation) *conv {
		return s.conv(convLayer{
			name: name + conv, norm: name + norm, in: in, out: out, kernel: kernel, stride: stride,
			activation: act, fill: kaimingNormal(out, kernel), trainable: trainable,
		})
	}
	b := &bottleneck{
		conv1: part("conv1", "bn1", in, width, 1, 1, tensor.ReLU),
		conv2: part("conv2", "bn2", width, width, 3, stride, tensor.ReLU),
		conv3: part("conv3", "bn3", width, 4*width, 1, 1, tensor.ReLU),
	}
	if stride != 1 || in != 4*width {
		b.downsample = part("downsample.0", "downsample.1", in, 4*width, 1, stride, tensor.None)
	}
	return b
}

func (n *resNet) forward(x *tensor.Tensor) []*tensor.Tensor {
	e := x.Engine()
	x = within(e, func() *tensor.Tensor { return n.stem.forward(x, nil).MaxPool2D(3, 2, 1) })
	var maps []*tensor.Tensor
	for _, stage := range n.stages {
		x = within(e, func() *tensor.Tensor {
			y := x
			for _, b := range stage {
				y = within(e, func() *tensor.Tensor { return b.forward(y) })
			}
			return y
		})
		maps = append(maps, x)
	}
	return maps
}

func (b *bottleneck) forward(x *tensor.Tensor) *tensor.Tensor {
	identity := x
	if b.downsample != nil {
		identity = b.downsample.forward(x, nil)
	}
	y := b.conv1.forward(x, nil)
	y = b.conv2.forward(y, nil)
	return b.conv3.forward(y, identity)
}

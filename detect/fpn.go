package detect

import (
	"fmt"

	"remuda/tensor"
)

// pyramidChannels is the number of channels of every level.
const pyramidChannels = 256

// pyramid is the feature pyramid network: coarse maps carry meaning down to
// fine ones.
type pyramid struct {
	inner []*conv // 1×1, to the pyramid's channels
	layer []*conv // 3×3, after the addition
}

func newPyramid(s *store, channels []int) *pyramid {
	p := &pyramid{}
	declare := func(name string, i, in, kernel int) *conv {
		return s.conv(convLayer{
			name: fmt.Sprintf("backbone.fpn.%s.%d.0", name, i), in: in, out: pyramidChannels, kernel: kernel, stride: 1,
			fill: kaimingUniform(in, kernel), trainable: true,
		})
	}
	for i, c := range channels {
		p.inner = append(p.inner, declare("inner_blocks", i, c, 1))
	}
	for i := range channels {
		p.layer = append(p.layer, declare("layer_blocks", i, pyramidChannels, 3))
	}
	return p
}

// forward returns a level for each map, finest first, and the coarsest one
// with every other row and column left out.
func (p *pyramid) forward(maps []*tensor.Tensor) []*tensor.Tensor {
	levels := make([]*tensor.Tensor, len(maps)+1)
	var top *tensor.Tensor
	for i := len(maps) - 1; i >= 0; i-- {
		if top == nil {
			top = p.inner[i].forward(maps[i], nil)
		} else {
			coarse := top.UpsampleNearest(maps[i].Dim(2), maps[i].Dim(3))
			top = p.inner[i].forward(maps[i], coarse)
			coarse.Free() // nothing needs it again, and it is as large as the level
		}
		levels[i] = p.layer[i].forward(top, nil)
	}
	levels[len(maps)] = levels[len(maps)-1].MaxPool2D(1, 2, 0)
	return levels
}

package detect

import "math"

// grid is one pyramid level's anchors: cells boxes around the origin, repeated
// at every location. Anchor (y·w + x)·len(cells) + a is cells[a] shifted by
// x and y strides; a level's anchors are never listed, since their order and
// regularity say everything.
type grid struct {
	h, w             int // locations
	strideY, strideX int // pixels between locations
	cells            []box
	first            int // index of the level's first anchor among all levels'
}

// len returns the number of the level's anchors.
func (g *grid) len() int { return g.h * g.w * len(g.cells) }

// at returns anchor i of the level.
func (g *grid) at(i int) box {
	cell := i % len(g.cells)
	location := i / len(g.cells)
	return g.shifted(cell, location/g.w, location%g.w)
}

func (g *grid) shifted(cell, y, x int) box {
	b, dx, dy := g.cells[cell], float32(x*g.strideX), float32(y*g.strideY)
	return box{b.x0 + dx, b.y0 + dy, b.x1 + dx, b.y1 + dy}
}

// grids lays anchors over the levels of a batch that is height × width pixels
// with its padding. The strides are whole numbers, rounded down, as torchvision
// takes them: the pooled level's is 800/13 = 61 at 800 pixels, not 64.
func grids(anchorSizes [][]float32, levels []Size, batch Size) []grid {
	out := make([]grid, len(levels))
	first := 0
	for i, l := range levels {
		out[i] = grid{
			h: l.Height, w: l.Width,
			strideY: batch.Height / l.Height, strideX: batch.Width / l.Width,
			cells: cellAnchors(anchorSizes[i]),
			first: first,
		}
		first += out[i].len()
	}
	return out
}

// cellAnchors returns boxes around the origin, for each ratio height / width of
// ½, 1 and 2 one of each size, with corners rounded to whole pixels.
func cellAnchors(sizes []float32) []box {
	var cells []box
	for _, ratio := range [...]float64{0.5, 1, 2} {
		hr := float32(math.Sqrt(ratio))
		wr := 1 / hr
		for _, s := range sizes {
			w, h := wr*s/2, hr*s/2
			w, h = float32(math.RoundToEven(float64(w))), float32(math.RoundToEven(float64(h)))
			cells = append(cells, box{-w, -h, w, h})
		}
	}
	return cells
}

// locate returns the level and the position in it of an anchor counted over all levels.
func locate(gs []grid, anchor int) (level, index int) {
	for level < len(gs)-1 && anchor >= gs[level+1].first {
		level++
	}
	return level, anchor - gs[level].first
}

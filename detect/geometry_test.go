package detect

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// someBoxes returns n boxes inside 200 × 150 pixels.
func someBoxes(rng *rand.Rand, n int) []box {
	out := make([]box, n)
	for i := range out {
		x, y := 180*rng.Float32(), 130*rng.Float32()
		out[i] = box{x, y, x + 1 + rng.Float32()*(199-x), y + 1 + rng.Float32()*(149-y)}
	}
	return out
}

func TestBoxCoderDecodesWhatItEncoded(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	targets, references := someBoxes(rng, 200), someBoxes(rng, 200)
	for _, c := range []boxCoder{proposalCoder(), detectionCoder()} {
		for i, want := range targets {
			offset := c.encode(want, references[i])
			got := c.decode(offset[:], references[i])
			// Growth beyond 1000/16 is not believed.
			if want.width() > 62*references[i].width() || want.height() > 62*references[i].height() {
				continue
			}
			if off(got, want) > 1e-3 {
				t.Fatalf("%v from %v came back as %v", want, references[i], got)
			}
		}
	}
}

func TestBoxCoderOffsets(t *testing.T) {
	reference := box{10, 20, 30, 60} // 20 × 40 around 20, 40
	target := box{15, 10, 35, 90}    // 20 × 80 around 25, 50
	want := [4]float32{2.5, 2.5, 0, 3.465736}
	got := detectionCoder().encode(target, reference)
	for i := range want {
		if abs32(got[i]-want[i]) > 1e-5 {
			t.Errorf("offset %d is %v, want %v", i, got[i], want[i])
		}
	}
	b := proposalCoder().decode([]float32{0, 0, 10, 10}, reference)
	if w := b.width(); abs32(w-20*62.5) > 1e-2 {
		t.Errorf("a huge growth gives width %v, want %v", w, 20*62.5)
	}
}

func TestCellAnchorsAreTorchvisions(t *testing.T) {
	want := []box{
		{-23, -11, 23, 11}, {-45, -23, 45, 23}, // ratio ½, sizes 32 and 64
		{-16, -16, 16, 16}, {-32, -32, 32, 32},
		{-11, -23, 11, 23}, {-23, -45, 23, 45},
	}
	if got := cellAnchors([]float32{32, 64}); !slices.Equal(got, want) {
		t.Errorf("cell anchors are %v, want %v", got, want)
	}
}

func TestAnchorsLieOnWholeStrides(t *testing.T) {
	gs := grids([][]float32{{32}, {512}}, []Size{{200, 272}, {13, 17}}, Size{800, 1088})
	if g := gs[1]; g.strideY != 61 || g.strideX != 64 || g.first != 200*272*3 {
		t.Fatalf("the pooled level has strides %d and %d and starts at %d", g.strideY, g.strideX, g.first)
	}
	if got, want := gs[1].at((2*17+3)*3+1), (box{3*64 - 256, 2*61 - 256, 3*64 + 256, 2*61 + 256}); got != want {
		t.Errorf("anchor is %v, want %v", got, want)
	}
	for _, anchor := range []int{0, 200*272*3 - 1, 200 * 272 * 3, 200*272*3 + 13*17*3 - 1} {
		level, index := locate(gs, anchor)
		if gs[level].first+index != anchor || index < 0 || index >= gs[level].len() {
			t.Errorf("anchor %d is found as number %d of level %d", anchor, index, level)
		}
	}
}

// matchBruteForce is the matcher with every pair looked at.
func matchBruteForce(truths, anchors []box, low, high float32, keepBest bool) []int32 {
	m := newMatches(len(anchors))
	highest := make([]float32, len(truths))
	for g, truth := range truths {
		for i, a := range anchors {
			v := truth.iou(truth.area(), a, a.area())
			if v > m.iou[i] {
				m.iou[i], m.best[i] = v, int32(g)
			}
			highest[g] = max(highest[g], v)
		}
	}
	out := m.settle(low, high)
	for g, truth := range truths {
		for i, a := range anchors {
			if keepBest && truth.iou(truth.area(), a, a.area()) == highest[g] {
				out[i] = m.best[i]
			}
		}
	}
	return out
}

func TestAnchorsMatchAsWithEveryPairLookedAt(t *testing.T) {
	gs := grids([][]float32{{8, 16}, {32, 64}, {128, 256}}, []Size{{19, 25}, {10, 13}, {5, 7}}, Size{152, 200})
	var anchors []box
	for i := range gs {
		for k := range gs[i].len() {
			anchors = append(anchors, gs[i].at(k))
		}
	}
	rng := rand.New(rand.NewPCG(3, 4))
	positives := 0
	for range 20 {
		truths := someBoxes(rng, 1+rng.IntN(8))
		got := matchAnchors(truths, gs)
		if want := matchBruteForce(truths, anchors, 0.3, 0.7, true); !slices.Equal(got, want) {
			t.Fatalf("matches differ for %v", truths)
		}
		for _, g := range got {
			if g >= 0 {
				positives++
			}
		}
	}
	if positives < 20 {
		t.Errorf("only %d anchors matched", positives)
	}
}

func TestEveryTruthKeepsItsBestAnchorHoweverPoor(t *testing.T) {
	gs := grids([][]float32{{64}}, []Size{{4, 4}}, Size{64, 64})
	truths := []box{{30, 30, 34, 34}} // 16 of 4096 pixels
	matched := matchAnchors(truths, gs)
	n := 0
	for i, g := range matched {
		if g == 0 {
			n++
			if a := gs[0].at(i); truths[0].iou(16, a, a.area()) > 0.3 {
				t.Errorf("anchor %v is no poor match", a)
			}
		}
	}
	if n == 0 {
		t.Error("no anchor is matched")
	}
}

func TestProposalsMatchFromHalfOverlapOn(t *testing.T) {
	truths := []box{{0, 0, 10, 10}, {100, 0, 120, 10}}
	proposals := []box{
		{0, 0, 10, 20},   // exactly ½ of the first
		{0, 0, 10, 20.1}, // a little less
		{100, 0, 121, 10},
		{50, 50, 60, 60},
	}
	want := []int32{0, unmatched, 1, unmatched}
	if got := matchProposals(truths, proposals); !slices.Equal(got, want) {
		t.Errorf("matches are %v, want %v", got, want)
	}
}

// suppressBruteForce is non-maximum suppression by the book.
func suppressBruteForce(boxes []box, scores []float32, groups []int32, threshold float64) []int32 {
	order := make([]int32, len(boxes))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortStableFunc(order, func(a, b int32) int {
		switch {
		case scores[a] > scores[b]:
			return -1
		case scores[a] < scores[b]:
			return 1
		}
		return 0
	})
	var kept []int32
	for _, i := range order {
		overlaps := func(k int32) bool {
			return groups[k] == groups[i] && float64(boxes[k].iou(boxes[k].area(), boxes[i], boxes[i].area())) > threshold
		}
		if !slices.ContainsFunc(kept, overlaps) {
			kept = append(kept, i)
		}
	}
	return kept
}

func TestSuppressionKeepsTheBestOfEachGroup(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for _, n := range []int{0, 1, 300, 1500} { // below and above the coordinate trick's limit
		boxes, scores, groups := someBoxes(rng, n), make([]float32, n), make([]int32, n)
		for i := range boxes {
			scores[i] = float32(rng.IntN(50)) // many are equal
			groups[i] = int32(rng.IntN(3))
		}
		want := suppressBruteForce(boxes, scores, groups, 0.5)
		if got := suppress(boxes, scores, groups, 0.5, n); !slices.Equal(got, want) {
			t.Errorf("of %d boxes %d are kept, want %d", n, len(got), len(want))
		}
		if got := suppress(boxes, scores, groups, 0.5, 7); !slices.Equal(got, want[:min(7, len(want))]) {
			t.Errorf("the best 7 of %d are %v, want %v", n, got, want[:min(7, len(want))])
		}
	}
}

func TestTopKIsDescendingAndStable(t *testing.T) {
	values := []float32{0.5, -3, 2, 2, -0.25, 1e30, 0.5, -1e-30, 0}
	want := []int32{5, 2, 3, 0, 6, 8, 7, 4, 1}
	for k := range len(values) + 2 {
		if got := topK(values, k); !slices.Equal(got, want[:min(k, len(want))]) {
			t.Errorf("the top %d are %v, want %v", k, got, want[:min(k, len(want))])
		}
	}
}

func TestTopKAgreesWithSorting(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	values := make([]float32, 20000)
	for i := range values {
		values[i] = float32(rng.NormFloat64())
	}
	if got, want := topK(values, 1000), topK(values, len(values))[:1000]; !slices.Equal(got, want) {
		t.Error("the top 1000 are not the first 1000 of all")
	}
}

func TestSampleIsBalanced(t *testing.T) {
	tests := []struct {
		name                          string
		positives, negatives, ignored int
		wantPositives, wantNegatives  int
	}{
		{"plenty of both", 100, 100, 10, 8, 24},
		{"few positives", 3, 100, 10, 3, 29},
		{"few negatives", 100, 5, 10, 8, 5},
		{"background", 0, 100, 0, 0, 32},
		{"nothing", 0, 0, 10, 0, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			labels := slices.Concat(slices.Repeat([]int32{-1}, test.ignored), slices.Repeat([]int32{2}, test.positives), make([]int32, test.negatives))
			pos, neg := balanced(labels, 32, 0.25, RandomSampler(rand.New(rand.NewPCG(9, 10))))
			if len(pos) != test.wantPositives || len(neg) != test.wantNegatives {
				t.Fatalf("%d positives and %d negatives, want %d and %d", len(pos), len(neg), test.wantPositives, test.wantNegatives)
			}
			for _, i := range pos {
				if labels[i] != 2 {
					t.Errorf("positive %d has label %d", i, labels[i])
				}
			}
			for _, i := range neg {
				if labels[i] != 0 {
					t.Errorf("negative %d has label %d", i, labels[i])
				}
			}
			if all := slices.Compact(slices.Concat(pos, neg)); len(all) != len(pos)+len(neg) {
				t.Error("something was drawn twice")
			}
		})
	}
}

func TestRandomSamplerDrawsEverythingEquallyOften(t *testing.T) {
	sample := RandomSampler(rand.New(rand.NewPCG(11, 12)))
	var count [10]int
	for range 10000 {
		for _, i := range sample([]int32{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, 3) {
			count[i]++
		}
	}
	for i, n := range count {
		if n < 2800 || n > 3200 { // 3000 ± 4 deviations of 46
			t.Errorf("%d was drawn %d times of 10000, want about 3000", i, n)
		}
	}
}

func TestLargeBoxesArePooledFromCoarseLevels(t *testing.T) {
	resnet := []int{4, 8, 16, 32}
	for _, test := range []struct {
		side float32
		want int32
	}{{1, 0}, {111, 0}, {112, 1}, {223, 1}, {224, 2}, {447, 2}, {448, 3}, {1333, 3}, {0, 0}} {
		b := box{5, 5, 5 + test.side, 5 + test.side}
		if got := roiLevel(b, resnet); got != test.want {
			t.Errorf("a box of %v pixels a side is pooled from level %d, want %d", test.side, got, test.want)
		}
		if got := roiLevel(b, []int{32, 32}); got != 0 {
			t.Errorf("with one stride a box of %v pixels is pooled from level %d", test.side, got)
		}
	}
}

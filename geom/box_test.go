package geom

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func anyBox(t *rapid.T, label string) Box {
	x, y := rapid.Float64Range(-50, 150).Draw(t, label+" x"), rapid.Float64Range(-50, 150).Draw(t, label+" y")
	return FromXYWH(x, y, rapid.Float64Range(0, 100).Draw(t, label+" w"), rapid.Float64Range(0, 100).Draw(t, label+" h"))
}

func TestIoUOfKnownBoxes(t *testing.T) {
	for _, c := range []struct {
		name string
		a, b Box
		want float64
	}{
		{"the same", Box{0, 0, 10, 10}, Box{0, 0, 10, 10}, 1},
		{"a third", Box{0, 0, 10, 10}, Box{5, 0, 15, 10}, 1.0 / 3},
		{"one pixel of four, no +1", Box{0, 0, 2, 2}, Box{1, 1, 2, 2}, 0.25},
		{"edges that touch", Box{0, 0, 10, 10}, Box{10, 0, 20, 10}, 0},
		{"both empty", Box{3, 3, 3, 3}, Box{3, 3, 3, 3}, 0},
	} {
		if got := c.a.IoU(c.b); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("%s: IoU is %v, want %v", c.name, got, c.want)
		}
	}
}

func TestBoxesKeepTheirRules(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := anyBox(t, "a"), anyBox(t, "b")
		if iou := a.IoU(b); iou != b.IoU(a) || iou < 0 || iou > 1+1e-12 {
			t.Fatalf("IoU of %v and %v is %v one way, %v the other", a, b, iou, b.IoU(a))
		}
		if twice := a.FlipX(100).FlipX(100); math.Abs(twice.X0-a.X0)+math.Abs(twice.X1-a.X1) > 1e-9 {
			t.Fatalf("flipped twice, %v is %v", a, twice)
		}
		if flipped := a.FlipX(100).IoU(b.FlipX(100)); math.Abs(flipped-a.IoU(b)) > 1e-9 {
			t.Fatalf("flipping changes the IoU from %v to %v", a.IoU(b), flipped)
		}
		c := a.Clip(100, 80)
		if c.X0 < 0 || c.Y0 < 0 || c.X1 > 100 || c.Y1 > 80 || c.X1 < c.X0 || c.Y1 < c.Y0 || c != c.Clip(100, 80) {
			t.Fatalf("%v clipped is %v", a, c)
		}
		if inside := a.Intersect(Box{0, 0, 100, 80}); math.Abs(c.Area()-inside) > 1e-9 {
			t.Fatalf("%v clipped has area %v, but %v lies inside", a, c.Area(), inside)
		}
	})
}

func TestNMSKeepsTheBestAndWhatStandsAlone(t *testing.T) {
	boxes := []Box{{0, 0, 10, 10}, {1, 0, 11, 10}, {5, 0, 15, 10}, {30, 30, 40, 40}}
	if got := NMS(boxes, 0.5); !slices.Equal(got, []int{0, 2, 3}) {
		t.Errorf("kept %v, want [0 2 3]", got)
	}
	// An overlap of exactly the limit is no suppression, as in torchvision.
	if got := NMS([]Box{{0, 0, 10, 10}, {5, 0, 15, 10}}, 1.0/3); len(got) != 2 {
		t.Errorf("kept %v at exactly the limit, want both", got)
	}
}

func TestNMSLeavesNoTwoThatOverlap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		boxes := make([]Box, rapid.IntRange(0, 30).Draw(t, "n"))
		for i := range boxes {
			boxes[i] = anyBox(t, "box")
		}
		kept := NMS(boxes, 0.4)
		for i, k := range kept {
			for _, l := range kept[:i] {
				if boxes[k].IoU(boxes[l]) > 0.4+1e-9 {
					t.Fatalf("%v and %v are both kept", boxes[k], boxes[l])
				}
			}
		}
		for i, b := range boxes {
			better := func(k int) bool { return k < i && boxes[k].IoU(b) > 0.4-1e-9 }
			if !slices.Contains(kept, i) && !slices.ContainsFunc(kept, better) {
				t.Fatalf("%v is gone, and nothing better overlaps it", b)
			}
		}
	})
}

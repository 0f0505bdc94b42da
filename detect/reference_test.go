package detect

import (
	"compress/gzip"
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"remuda/geom"
	"remuda/imageio"
)

// What testdata/make_reference.py computes with.
const (
	referenceCategories = 3
	referenceMinSize    = 128
	referenceMaxSize    = 192
)

// reference is what torchvision computed for one architecture.
type reference struct {
	folder string // of whole tensors, "" where digests have to do
	Values struct {
		Resized    [][4]int `json:"resized"`
		Sizes      [][2]int `json:"sizes"`
		Rate       float64
		Losses     [][4]float64
		Chosen     []choice
		Background struct {
			Losses [4]float64
			Chosen choice
		}
	}
	Lists   map[string][]float32
	Tensors map[string]digest
}

// choice is what a step's samplers drew.
type choice struct {
	Anchors [][]int32   // of each image its positives, then its negatives
	RoIs    [][]float32 // of each image, four numbers a box
}

// digest stands for a tensor: its norm, and its sums under 16 patterns of signs.
type digest struct {
	Shape []int
	Norm  float64
	Signs [16]float64
}

// readReference reads what is recorded beside the tests, or in the folder that
// REMUDA_PARITY_DIR names, which has whole tensors.
func readReference(t *testing.T, arch string) *reference {
	t.Helper()
	r := &reference{}
	folder := os.Getenv("REMUDA_PARITY_DIR")
	if folder != "" {
		r.folder = filepath.Join(folder, arch)
	} else {
		folder = "testdata"
	}
	f, err := os.Open(filepath.Join(folder, arch+".json.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.NewDecoder(z).Decode(r); err != nil {
		t.Fatal(err)
	}
	return r
}

// check fails unless data differs from the recorded tensor by at most
// tolerance times its norm. Without the whole tensor the size of the
// difference is estimated: the root mean square of its 16 sums.
func (r *reference) check(t *testing.T, key string, data []float32, tolerance float64) {
	t.Helper()
	d, ok := r.Tensors[key]
	if !ok {
		t.Errorf("the reference has no %s", key)
		return
	}
	n := 1
	for _, s := range d.Shape {
		n *= s
	}
	if n != len(data) {
		t.Errorf("%s: %d values, want %v", key, len(data), d.Shape)
		return
	}
	var difference float64
	if r.folder != "" {
		difference = distance(data, readFloats(t, filepath.Join(r.folder, key+".f32")))
	} else {
		got := signSums(data)
		for k, want := range d.Signs {
			difference += (got[k] - want) * (got[k] - want) / 16
		}
		difference = math.Sqrt(difference)
	}
	if !(difference <= tolerance*d.Norm) {
		t.Errorf("%s: differs by %.2g of its norm %.4g, tolerance %.2g", key, difference/d.Norm, d.Norm, tolerance)
	}
}

func distance(a, b []float32) float64 {
	if len(a) != len(b) {
		return math.Inf(1)
	}
	var sum float64
	for i := range a {
		d := float64(a[i]) - float64(b[i])
		sum += d * d
	}
	return math.Sqrt(sum)
}

func signSums(data []float32) (sums [16]float64) {
	s := newStream(0, "signs")
	for i, v := range data {
		bits := s.bits(i)
		for k := range sums {
			if bits>>k&1 == 1 {
				sums[k] += float64(v)
			} else {
				sums[k] -= float64(v)
			}
		}
	}
	return sums
}

func readFloats(t *testing.T, path string) []float32 {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Error(err)
	}
	out := make([]float32, len(raw)/4)
	for i := range out {
		out[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
	}
	return out
}

// referenceWeight returns the value that the reference gives a tensor.
func referenceWeight(name string, shape []int) []float32 {
	n := 1
	for _, s := range shape {
		n *= s
	}
	var middle, spread float64
	switch {
	case strings.HasSuffix(name, ".running_var"):
		middle, spread = 1, 0.3
	case strings.HasSuffix(name, ".running_mean"):
		spread = 0.1
	case len(shape) > 1:
		spread = math.Sqrt(3 * referenceGain(name, shape) / float64(n/shape[0]))
	case strings.HasSuffix(name, ".bias"):
		spread = 0.1
	case strings.Contains(name, ".bn3."):
		middle, spread = 0.2, 0.2*0.2
	default:
		middle, spread = 1, 0.2
	}
	s := newStream(0, name)
	out := make([]float32, n)
	for i := range out {
		out[i] = float32(middle + spread*(2*s.uniform(i)-1))
	}
	return out
}

func referenceGain(name string, shape []int) float64 {
	switch {
	case name == "rpn.head.cls_logits.weight":
		return 3
	case name == "rpn.head.bbox_pred.weight":
		return 0.3
	case name == "roi_heads.box_predictor.cls_score.weight":
		return 4
	case strings.Contains(name, ".block.") && shape[0] < shape[1]:
		return 0.7
	case strings.Contains(name, ".inner_blocks.") && slices.Contains([]int{160, 960}, shape[1]):
		return 1
	case strings.Contains(name, ".inner_blocks."):
		return 0.04
	case strings.Contains(name, ".layer_blocks."):
		return 1
	}
	return 2
}

// referenceImage returns coarse blocks with fine noise on top.
func referenceImage(name string, height, width int) *imageio.RGB {
	coarse, noise := newStream(0, name+"/coarse"), newStream(0, name+"/noise")
	m := imageio.NewRGB(width, height)
	for y := range height {
		for x := range width {
			for c := range 3 {
				i := 3*(y*width+x) + c
				block := 3*(y/12%64*64+x/12%64) + c
				m.Pix[i] = byte(coarse.bits(block)%200 + noise.bits(i)%56)
			}
		}
	}
	return m
}

func referenceImages() []*imageio.RGB {
	return []*imageio.RGB{referenceImage("image/0", 150, 200), referenceImage("image/1", 117, 161)}
}

func referenceTargets() []Target {
	return []Target{
		{
			Boxes:  []geom.Box{{X0: 20, Y0: 30, X1: 90.5, Y1: 120.25}, {X0: 100, Y0: 40.5, X1: 190, Y1: 140}, {X0: 60, Y0: 10, X1: 110, Y1: 60}},
			Labels: []int{1, 2, 3},
		},
		{
			Boxes:  []geom.Box{{X0: 20, Y0: 10.5, X1: 150, Y1: 80}, {X0: 60, Y0: 50, X1: 100, Y1: 110}},
			Labels: []int{2, 1},
		},
	}
}

// replay is a Sampler that draws the recorded anchors, and then the RoIs that
// the test gives the model as its proposals: all of them, but not the ground
// truths that the model adds. It fails the test where a recorded anchor is no
// candidate (not at once: the engine's goroutine must go on).
func (c choice) replay(t *testing.T) Sampler {
	call := 0
	return func(candidates []int32, n int) []int32 {
		t.Helper()
		call++
		if call > len(c.Anchors) {
			rois := len(c.RoIs[(call-len(c.Anchors)-1)/2]) / 4
			end, _ := slices.BinarySearch(candidates, int32(rois))
			return candidates[:end]
		}
		drawn := c.Anchors[call-1]
		missing := slices.ContainsFunc(drawn, func(i int32) bool {
			_, ok := slices.BinarySearch(candidates, i)
			return !ok
		})
		if len(drawn) != n || missing {
			t.Errorf("%d of %d anchors are to be drawn; the %d recorded are not among them", n, len(candidates), len(drawn))
			return candidates[:n]
		}
		return drawn
	}
}

// proposals returns the recorded RoIs.
func (c choice) proposals() [][]box {
	var out [][]box
	for _, r := range c.RoIs {
		out = append(out, boxesOf(r))
	}
	return out
}

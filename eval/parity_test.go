package eval

import (
	"compress/gzip"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"math"
	"os"
	"strconv"
	"testing"

	"remuda"
	"remuda/geom"
)

// drawer is SplitMix64, as testdata/make_parity.py has it.
type drawer struct{ state uint64 }

func (d *drawer) below(n int) int {
	d.state += 0x9e3779b97f4a7c15
	z := d.state
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return int((z ^ z>>31) % uint64(n))
}

// parityCase makes one of make_parity.py's cases, call by call.
type parityCase struct {
	drawer
	grid, side int
}

func generated(number int) (remuda.Dataset, []remuda.Annotation) {
	d := &parityCase{drawer: drawer{uint64(number)}}
	images, categories := 1+d.below(8), 1+d.below(4)
	d.grid = []int{1, 4, 10, 100}[d.below(4)]
	scores := []int{3, 10, 1000, 1 << 30}[d.below(4)]
	crowds := d.below(3) * 10
	many := d.below(10) == 0
	d.side = []int{40, 120, 400}[d.below(3)]

	var truth remuda.Dataset
	var sizes [][4]float64
	for i := range images {
		truth.Items = append(truth.Items, remuda.Item{ID: int64(10*i + 7), File: strconv.Itoa(i) + ".jpg", Width: d.side, Height: d.side})
		for range d.below(8) {
			b := d.box()
			area := []float64{b[2] * b[3], b[2] * b[3] / 2, 1024, 9216}[d.below(4)]
			crowd := d.below(100) < crowds
			sizes = append(sizes, b)
			truth.Annotations = append(truth.Annotations, remuda.Annotation{
				ID: int64(len(sizes)), ItemID: int64(10*i + 7), CategoryID: int64(3*d.below(categories) + 1),
				Box: geom.FromXYWH(b[0], b[1], b[2], b[3]), Area: area, Crowd: crowd,
			})
		}
	}
	for k := range categories {
		truth.Categories = append(truth.Categories, remuda.Category{ID: int64(3*k + 1), Name: strconv.Itoa(k)})
	}
	n := 1 + d.below(60)
	if many {
		n += 250
	}
	var predictions []remuda.Annotation
	for range n {
		p := remuda.Annotation{Confidence: float64(d.below(scores)) / float64(scores)}
		var b [4]float64
		if len(sizes) > 0 && d.below(3) > 0 {
			g := d.below(len(sizes))
			p.ItemID, p.CategoryID = truth.Annotations[g].ItemID, truth.Annotations[g].CategoryID
			b = d.near(sizes[g])
			if d.below(10) == 0 {
				p.CategoryID = int64(3*d.below(categories) + 1)
			}
		} else {
			p.ItemID = int64(10*d.below(images) + 7)
			p.CategoryID = int64(3*d.below(categories) + 1)
			b = d.box()
		}
		p.Box = geom.FromXYWH(b[0], b[1], b[2], b[3])
		predictions = append(predictions, p)
	}
	return truth, predictions
}

func (d *parityCase) onGrid(n int) float64 { return float64(n) / float64(d.grid) }

func (d *parityCase) box() [4]float64 {
	x := d.onGrid(d.below(d.side * d.grid))
	y := d.onGrid(d.below(d.side * d.grid))
	if d.below(8) == 0 {
		s := []float64{32, 96}[d.below(2)]
		return [4]float64{x, y, s, s}
	}
	w := d.onGrid(1 + d.below(d.side*d.grid))
	h := d.onGrid(1 + d.below(d.side*d.grid))
	return [4]float64{x, y, w, h}
}

func (d *parityCase) near(b [4]float64) [4]float64 {
	switch d.below(6) {
	case 0:
		return b
	case 1:
		b[3] /= 2
		return b
	case 2:
		b[3] *= 2
		return b
	}
	unit := 1 + int(b[2])/16
	for i := range b {
		b[i] += d.onGrid((d.below(9) - 4) * unit)
	}
	b[2], b[3] = max(b[2], d.onGrid(1)), max(b[3], d.onGrid(1))
	return b
}

// TestCOCONumbersEqualPycocotools holds Evaluate against the numbers that
// testdata/make_parity.py has recorded.
func TestCOCONumbersEqualPycocotools(t *testing.T) {
	const tolerance = 1e-9
	file, err := os.Open("testdata/parity.bin.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	unzipped, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	recorded, err := io.ReadAll(unzipped)
	if err != nil {
		t.Fatal(err)
	}
	cases, worst := len(recorded)/96, 0.0
	if cases < 2000 {
		t.Fatalf("only %d cases are recorded", cases)
	}
	for n := range cases {
		truth, predictions := generated(n)
		e, err := Evaluate(truth, predictions, Options{Bootstrap: -1})
		if err != nil {
			t.Fatalf("case %d: %v", n, err)
		}
		got := twelve(e)
		for k := range got {
			want := math.Float64frombits(binary.LittleEndian.Uint64(recorded[96*n+8*k:]))
			worst = max(worst, math.Abs(got[k]-want))
			if math.Abs(got[k]-want) > tolerance {
				t.Errorf("case %d, number %d of twelve: %v, pycocotools says %v", n, k, got[k], want)
			}
		}
	}
	t.Logf("%d cases, largest difference %.2g", cases, worst)
}

// perturbed makes make_parity.py's predictions from labels.
func perturbed(truth remuda.Dataset) []remuda.Annotation {
	d := &drawer{2026}
	var predictions []remuda.Annotation
	for _, a := range truth.Annotations {
		x, y, w, h := a.Box.X0, a.Box.Y0, side(a.Box.X0, a.Box.X1), side(a.Box.Y0, a.Box.Y1)
		move := func(v, side float64) float64 { return v + float64(side*float64(d.below(2001)-1000))/8000 }
		p := a
		nx, ny := move(x, w), move(y, h)
		p.Box = geom.FromXYWH(nx, ny, move(w, w), move(h, h))
		p.Confidence = float64(d.below(1000)) / 1000
		if d.below(10) > 0 {
			predictions = append(predictions, p)
		}
		if d.below(3) == 0 {
			fx, fy := d.below(200), d.below(200)
			fw, fh := 20+d.below(200), 20+d.below(200)
			p.Box = geom.FromXYWH(float64(fx), float64(fy), float64(fw), float64(fh))
			p.Confidence /= 2
			predictions = append(predictions, p)
		}
	}
	return predictions
}

func TestHorsesEqualPycocotools(t *testing.T) {
	const labels = "../../shared/data/horses/all.json"
	text, err := os.ReadFile(labels)
	if errors.Is(err, fs.ErrNotExist) {
		t.Skipf("%s is not here", labels)
	}
	var file cocoTruth
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	var want [12]float64
	recorded, err := os.ReadFile("testdata/horses.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(recorded, &want); err != nil {
		t.Fatal(err)
	}
	truth := file.dataset()
	e := evaluated(t, truth, perturbed(truth), Options{Bootstrap: -1})
	for k, got := range twelve(e) {
		if math.Abs(got-want[k]) > 1e-9 {
			t.Errorf("number %d of twelve: %v, pycocotools says %v", k, got, want[k])
		}
	}
}

// twelve returns COCO's numbers in its order.
func twelve(e *Evaluation) [12]float64 {
	return [12]float64{e.AP, e.AP50, e.AP75, e.APSmall, e.APMedium, e.APLarge, e.AR1, e.AR10, e.AR100, e.ARSmall, e.ARMedium, e.ARLarge}
}

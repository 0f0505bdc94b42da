package detect

import (
	"math"
	"slices"
	"strings"
	"testing"

	"remuda"
	"remuda/internal/enginetest"
	"remuda/tensor"
)

// arraysOf copies a model's arrays.
func arraysOf(m *Model) map[string]Array {
	out := map[string]Array{}
	for _, p := range m.Weights() {
		out[p.Name] = Array{p.Value.Shape(), p.Value.Float32s()}
	}
	return out
}

// from returns a getter of arrays.
func from(arrays map[string]Array) func(string) (Array, bool) {
	return func(name string) (Array, bool) { a, ok := arrays[name]; return a, ok }
}

// differing lists the names under which two sets differ.
func differing(a, b map[string]Array) []string {
	var names []string
	for name, x := range a {
		if y := b[name]; !slices.Equal(x.Shape, y.Shape) || !slices.Equal(x.Data, y.Data) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// withModels runs fn with models of the given configurations, seeded 1, 2 ….
func withModels(t *testing.T, configs []Config, fn func(models []*Model) error) {
	t.Helper()
	e := enginetest.Open(t)
	err := e.Do(func() error {
		var models []*Model
		for i, c := range configs {
			m, err := New(e, c, uint64(i+1))
			if err != nil {
				return err
			}
			defer m.Free()
			models = append(models, m)
		}
		return fn(models)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestLoadTakesWhatArraysGave(t *testing.T) {
	c := small(remuda.ResNet50FPN, 3, 3)
	withModels(t, []Config{c, c}, func(m []*Model) error {
		given := arraysOf(m[0])
		if d := differing(given, arraysOf(m[1])); len(d) == 0 {
			t.Error("two seeds give the same weights")
		}
		report, err := m[1].Load(from(given), LoadOptions{})
		if err != nil || len(report.Fresh) > 0 {
			t.Errorf("report is %v, error %v", report, err)
		}
		if d := differing(given, arraysOf(m[1])); len(d) > 0 {
			t.Errorf("%v differ", d)
		}
		return nil
	})
}

func TestNamesOfOldFilesLoad(t *testing.T) {
	c := small(remuda.ResNet50FPN, 3, 3)
	withModels(t, []Config{c, c}, func(m []*Model) error {
		given := arraysOf(m[0])
		old := map[string]Array{}
		for name, a := range given {
			name = strings.Replace(name, "rpn.head.conv.0.0.", "rpn.head.conv.", 1)
			if strings.HasPrefix(name, "backbone.fpn.") {
				name = strings.Replace(name, ".0.weight", ".weight", 1)
				name = strings.Replace(name, ".0.bias", ".bias", 1)
			}
			old[name] = a
		}
		if _, ok := old["backbone.fpn.inner_blocks.0.weight"]; !ok {
			t.Error("the old names are not as in torchvision's file")
		}
		if _, err := m[1].Load(from(old), LoadOptions{}); err != nil {
			return err
		}
		if d := differing(given, arraysOf(m[1])); len(d) > 0 {
			t.Errorf("%v differ", d)
		}
		return nil
	})
}

func TestHeadIsSwappedForOtherCategories(t *testing.T) {
	head := []string{
		"roi_heads.box_predictor.bbox_pred.bias", "roi_heads.box_predictor.bbox_pred.weight",
		"roi_heads.box_predictor.cls_score.bias", "roi_heads.box_predictor.cls_score.weight",
	}
	for _, test := range []struct {
		name       string
		categories int
		options    LoadOptions
	}{
		{"other number", 2, LoadOptions{}},
		{"same number, other categories", 3, LoadOptions{NewHead: true}},
	} {
		t.Run(test.name, func(t *testing.T) {
			configs := []Config{small(remuda.MobileNetV3Large320, 3, 3), small(remuda.MobileNetV3Large320, test.categories, 3)}
			withModels(t, configs, func(m []*Model) error {
				given, before := arraysOf(m[0]), arraysOf(m[1])
				report, err := m[1].Load(from(given), test.options)
				if err != nil {
					return err
				}
				slices.Sort(report.Fresh)
				if !slices.Equal(report.Fresh, head) {
					t.Errorf("fresh tensors are %v", report.Fresh)
				}
				after := arraysOf(m[1])
				for _, name := range head {
					if !slices.Equal(before[name].Data, after[name].Data) {
						t.Errorf("%s has changed", name)
					}
				}
				if d := differing(given, after); !slices.Equal(d, head) {
					t.Errorf("%v differ from the file", d)
				}
				return nil
			})
		})
	}
}

func TestWeightsThatDoNotFitAreRefusedWhole(t *testing.T) {
	for _, test := range []struct {
		name  string
		spoil func(arrays map[string]Array)
		names string // what the error has to name
	}{
		{"missing", func(a map[string]Array) { delete(a, "backbone.body.4.block.2.fc1.bias") }, "backbone.body.4.block.2.fc1.bias"},
		{"other shape", func(a map[string]Array) {
			a["roi_heads.box_head.fc7.weight"] = Array{[]int{1, 2}, []float32{1, 2}}
		}, "roi_heads.box_head.fc7.weight"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := small(remuda.MobileNetV3Large320, 3, 3)
			withModels(t, []Config{c, c}, func(m []*Model) error {
				given, before := arraysOf(m[0]), arraysOf(m[1])
				test.spoil(given)
				_, err := m[1].Load(from(given), LoadOptions{})
				if remuda.CodeOf(err) != remuda.Invalid || !strings.Contains(err.Error(), test.names) || remuda.HintOf(err) == "" {
					t.Errorf("error is %v", err)
				}
				if d := differing(before, arraysOf(m[1])); len(d) > 0 {
					t.Errorf("%v have changed all the same", d)
				}
				return nil
			})
		})
	}
}

func TestBackboneLoadsFromAClassifier(t *testing.T) {
	for arch, prefix := range map[string]string{remuda.ResNet50FPN: "", remuda.MobileNetV3Large320: "features."} {
		t.Run(arch, func(t *testing.T) {
			c := small(arch, 3, 3)
			withModels(t, []Config{c, c}, func(m []*Model) error {
				given, before := arraysOf(m[0]), arraysOf(m[1])
				classifier := map[string]Array{}
				for name, a := range given {
					if rest, ok := strings.CutPrefix(name, "backbone.body."); ok {
						classifier[prefix+rest] = a
					}
				}
				if err := m[1].LoadBackbone(from(classifier)); err != nil {
					return err
				}
				after := arraysOf(m[1])
				for name := range after {
					want := before
					if strings.HasPrefix(name, "backbone.body.") {
						want = given
					}
					if !slices.Equal(after[name].Data, want[name].Data) {
						t.Errorf("%s is not as it should be", name)
					}
				}
				delete(classifier, prefix+map[bool]string{true: "conv1.weight", false: "0.0.weight"}[prefix == ""])
				if err := m[1].LoadBackbone(from(classifier)); remuda.CodeOf(err) != remuda.Invalid {
					t.Errorf("without a tensor the error is %v", err)
				}
				return nil
			})
		})
	}
}

func TestEpsilonOfOldNormsIsAbsorbed(t *testing.T) {
	c := small(remuda.ResNet50FPN, 3, 3)
	withModels(t, []Config{c}, func(m []*Model) error {
		given := arraysOf(m[0])
		const weight, variance = "backbone.body.layer2.1.bn2.weight", "backbone.body.layer2.1.bn2.running_var"
		given[variance].Data[0] = 1e-6
		given[weight].Data[0] = 3
		given[variance].Data[1] = 0 // would be an infinite scale
		if _, err := m[0].Load(from(given), LoadOptions{EpsZero: true}); err != nil {
			return err
		}
		after := arraysOf(m[0])
		// What torchvision computes with its epsilon of 1e-5 must be 3/√1e-6.
		got := float64(after[weight].Data[0]) / math.Sqrt(1e-6+1e-5)
		if want := 3 / math.Sqrt(1e-6); math.Abs(got-want) > 1e-3*want {
			t.Errorf("the scale is %v, want %v", got, want)
		}
		if v := after[weight].Data[1]; v != given[weight].Data[1] {
			t.Errorf("a channel without variance has weight %v", v)
		}
		for _, n := range m[0].store.norms {
			for _, v := range n.scale.Float32s() {
				if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
					t.Fatal("a scale is not finite")
				}
			}
		}
		return nil
	})
}

func TestArrayNamesAreTorchvisions(t *testing.T) {
	// Counts of parameters and buffers in torchvision's state dicts, for 3 categories.
	for arch, want := range map[string]struct{ arrays, parameters int }{
		remuda.ResNet50FPN:         {295, 41309411},
		remuda.MobileNetV3LargeFPN: {284, 18940479},
	} {
		withModels(t, []Config{{Arch: arch, Categories: 3, Precision: tensor.Float32}}, func(m []*Model) error {
			n, parameters := 0, 0
			shapes := map[string][]int{}
			for name, a := range arraysOf(m[0]) {
				n++
				shapes[name] = a.Shape
				if !strings.HasPrefix(name, "backbone.body.") || len(a.Shape) > 1 || strings.Contains(name, ".fc") {
					parameters += len(a.Data)
				}
			}
			if n != want.arrays || parameters != want.parameters {
				t.Errorf("%s has %d arrays and %d parameters, want %d and %d", arch, n, parameters, want.arrays, want.parameters)
			}
			if got, categories, ok := ArchOf(shapes); got != arch || categories != 3 || !ok {
				t.Errorf("the arrays of %s look like %q for %d categories", arch, got, categories)
			}
			return nil
		})
	}
}

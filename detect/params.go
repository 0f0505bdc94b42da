package detect

import (
	"slices"
	"strings"

	"remuda"
	"remuda/tensor"
)

// predictor starts the names of the tensors whose shapes depend on the categories.
const predictor = "roi_heads.box_predictor."

// store holds a model's weights by torchvision's names, in the order that the
// model declares them.
type store struct {
	engine    *tensor.Engine
	precision tensor.DType
	seed      uint64
	entries   []*entry
	norms     []*frozenNorm
	convs     []*conv
	linears   []*linear
}

// entry is one parameter or buffer.
type entry struct {
	name      string
	value     *tensor.Tensor // float32
	fill      filler         // gives it its first values; nil once it has them
	trainable bool
	head      bool // of the box predictor, whose shape depends on the categories
}

// Param is a named tensor of a model.
type Param struct {
	Name  string
	Value *tensor.Tensor // float32; Backward leaves the gradient of one that learns
}

func newStore(e *tensor.Engine, precision tensor.DType, seed uint64) *store {
	return &store{engine: e, precision: precision, seed: seed}
}

// add declares a tensor. It gets its first values when they are needed: most
// are loaded from a file before that.
func (s *store) add(name string, fill filler, trainable bool, shape ...int) *tensor.Tensor {
	v := s.engine.Zeros(tensor.Float32, shape...).RequiresGrad(trainable).Keep()
	s.entries = append(s.entries, &entry{
		name: name, value: v, trainable: trainable, fill: fill,
		head: strings.HasPrefix(name, predictor),
	})
	return v
}

// settle gives first values to the tensors that have none yet.
func (s *store) settle() {
	filled := false
	for _, e := range s.entries {
		if e.fill != nil {
			data := make([]float32, e.value.Len())
			e.fill(newStream(s.seed, e.name), data)
			e.value.SetFloat32s(data)
			e.fill, filled = nil, true
		}
	}
	if filled {
		for _, n := range s.norms {
			n.update()
		}
	}
}

func (s *store) free() {
	s.forget(true)
	for _, n := range s.norms {
		n.free()
	}
	for _, e := range s.entries {
		e.value.Free()
	}
}

// training makes ready for a step that will change the trainable weights.
func (s *store) training() {
	s.settle()
	s.forget(false)
}

// inference folds and casts all weights once, to be used until they change.
func (s *store) inference() {
	s.settle()
	for _, c := range s.convs {
		c.cache()
	}
	for _, l := range s.linears {
		l.cache()
	}
}

// forget drops folded and cast copies: those of trainable weights, or all.
func (s *store) forget(all bool) {
	for _, c := range s.convs {
		if all || c.trainable {
			c.forget()
		}
	}
	for _, l := range s.linears {
		l.forget()
	}
}

// Trainable returns the tensors that learn, in a fixed order.
func (m *Model) Trainable() []Param {
	m.store.settle()
	var out []Param
	for _, e := range m.store.entries {
		if e.trainable {
			out = append(out, Param{e.name, e.value})
		}
	}
	return out
}

// Weights returns all parameters and buffers under torchvision's names, in a
// fixed order: what a file of weights holds.
func (m *Model) Weights() []Param {
	m.store.settle()
	out := make([]Param, len(m.store.entries))
	for i, e := range m.store.entries {
		out[i] = Param{e.name, e.value}
	}
	return out
}

// Changed says that weights were written from outside, other than by the
// optimizer step after Losses: Detect then folds them anew.
func (m *Model) Changed() { m.store.forget(true) }

// LoadOptions say how a file of weights is to be read.
type LoadOptions struct {
	// EpsZero is for torchvision's COCO weights of the ResNet-50 detector, whose
	// frozen batch norm has no epsilon. The model always has 1e-5, so the scales
	// are corrected: w·√((var + 1e-5)/var).
	EpsZero bool
	// NewHead leaves the box predictor as it is even where shapes agree: the
	// file's categories are not the model's.
	NewHead bool
}

// HasEpsZero reports whether torchvision's file of a name ("coco", "imagenet"),
// for an architecture, is one that LoadOptions.EpsZero is for.
func HasEpsZero(arch, file string) bool { return arch == remuda.ResNet50FPN && file == "coco" }

// Load sets all weights from get, which returns a tensor by torchvision's name.
// The box predictor's tensors may have other shapes, being for other
// categories, and then stay fresh; any other missing tensor or wrong shape is
// an error coded remuda.Invalid, and nothing is changed.
func (m *Model) Load(get func(name string) (Array, bool), o LoadOptions) (LoadReport, error) {
	var report LoadReport
	found := make(map[*entry][]float32)
	for _, e := range m.store.entries {
		if e.head && o.NewHead {
			report.Fresh = append(report.Fresh, e.name)
			continue
		}
		a, ok := find(get, e.name)
		if !ok {
			return LoadReport{}, remuda.Errorf(remuda.Invalid, "the weights have no tensor %q of %s", e.name, m.config.Arch).WithHint("give weights of this architecture")
		}
		if !slices.Equal(a.Shape, e.value.Shape()) {
			if e.head {
				report.Fresh = append(report.Fresh, e.name)
				continue
			}
			return LoadReport{}, remuda.Errorf(remuda.Invalid, "tensor %q of the weights is %v, not %v as %s has it", e.name, a.Shape, e.value.Shape(), m.config.Arch).WithHint("give weights of this architecture")
		}
		found[e] = a.Data
	}
	m.store.set(found, o.EpsZero)
	return report, nil
}

// LoadBackbone sets the backbone's weights from get, which returns a tensor by
// the name it has in torchvision's classification model of the same backbone.
// A missing tensor or a wrong shape is an error coded remuda.Invalid, and
// nothing is changed.
func (m *Model) LoadBackbone(get func(name string) (Array, bool)) error {
	prefix := ""
	if m.arch.mobile {
		prefix = "features."
	}
	found := make(map[*entry][]float32)
	for _, e := range m.store.entries {
		rest, ok := strings.CutPrefix(e.name, "backbone.body.")
		if !ok {
			continue
		}
		name := prefix + rest
		a, ok := get(name)
		if !ok {
			return remuda.Errorf(remuda.Invalid, "the backbone's weights have no tensor %q", name).WithHint("give weights of the backbone of %s", m.config.Arch)
		}
		if !slices.Equal(a.Shape, e.value.Shape()) {
			return remuda.Errorf(remuda.Invalid, "tensor %q of the backbone's weights is %v, not %v", name, a.Shape, e.value.Shape()).WithHint("give weights of the backbone of %s", m.config.Arch)
		}
		found[e] = a.Data
	}
	m.store.set(found, false)
	return nil
}

// set writes values and brings what was derived from them up to date.
func (s *store) set(values map[*entry][]float32, epsZero bool) {
	for e, data := range values {
		e.value.SetFloat32s(data)
		e.fill = nil
	}
	s.settle()
	for _, n := range s.norms {
		if epsZero {
			n.absorbEpsilon()
		}
		n.update()
	}
	s.forget(true)
}

// find looks a tensor up by its name and, failing that, by the name that
// torchvision's files had before its release 0.13.
func find(get func(string) (Array, bool), name string) (Array, bool) {
	if a, ok := get(name); ok {
		return a, true
	}
	old := strings.Replace(name, "rpn.head.conv.0.0.", "rpn.head.conv.", 1)
	if strings.HasPrefix(name, "backbone.fpn.") {
		old = strings.Replace(name, ".0.weight", ".weight", 1)
		old = strings.Replace(old, ".0.bias", ".bias", 1)
	}
	return get(old)
}

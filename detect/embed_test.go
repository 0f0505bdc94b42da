package detect

import (
	"math"
	"slices"
	"strings"
	"testing"

	"remuda"
	"remuda/imageio"
	"remuda/internal/enginetest"
	"remuda/tensor"
)

func TestADetectorAndItsClassifierEmbedAlike(t *testing.T) {
	e := enginetest.Open(t)
	picture := imageio.NewRGB(50, 70)
	for i := range picture.Pix {
		picture.Pix[i] = byte(i * 13 % 251)
	}
	for _, arch := range []string{remuda.ResNet50FPN, remuda.MobileNetV3Large320} {
		arrays, of := make(map[string]Array), make(map[string]Array) // of a detector, of a classifier
		err := e.Do(func() error {
			m, err := New(e, Config{Arch: arch, Categories: 1, Precision: tensor.Float32}, 7)
			if err != nil {
				return err
			}
			defer m.Free()
			for name, a := range arraysOf(m) {
				arrays[name] = a
				if rest, ok := strings.CutPrefix(name, "backbone.body."); ok {
					of[map[bool]string{true: "", false: "features."}[arch == remuda.ResNet50FPN]+rest] = a
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		var vectors [][]float32
		for _, classifier := range []bool{false, true} {
			from := map[bool]map[string]Array{false: arrays, true: of}[classifier]
			var b *Backbone
			err := e.Do(func() (err error) {
				if b, err = NewBackbone(e, arch); err != nil {
					return err
				}
				return b.Load(func(name string) (Array, bool) { a, ok := from[name]; return a, ok }, classifier, LoadOptions{})
			})
			if err != nil {
				t.Fatalf("%s: %v", arch, err)
			}
			vector, err := b.Embed(picture, 64)
			if err != nil {
				t.Fatal(err)
			}
			vectors = append(vectors, vector)
		}
		var length float64
		for _, x := range vectors[0] {
			length += float64(x) * float64(x)
		}
		if len(vectors[0]) != EmbeddingDimension(arch) || math.Abs(length-1) > 1e-5 || !slices.Equal(vectors[0], vectors[1]) {
			t.Errorf("%s: %d numbers of length² %v, the same from both: %v", arch, len(vectors[0]), length, slices.Equal(vectors[0], vectors[1]))
		}
	}
}

func TestAVectorOfZerosStays(t *testing.T) {
	v := make([]float32, 3)
	if scaleToUnit(v); !slices.Equal(v, []float32{0, 0, 0}) {
		t.Errorf("got %v", v)
	}
}

package deploy_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"remuda"
	"remuda/deploy"
	"remuda/imageio"
	"remuda/internal/enginetest"
	"remuda/weights"
)

// embedder opens the starter backbone.
func embedder(t *testing.T) *deploy.Embedder {
	t.Helper()
	engine := enginetest.Open(t)
	e, err := deploy.OpenEmbedder(engine, starterSpec(t))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func starterSpec(t *testing.T) remuda.EmbedSpec {
	t.Helper()
	path, err := weights.Cache{Dir: t.TempDir()}.WriteStarter()
	if err != nil {
		t.Fatal(err)
	}
	sum, err := weights.SHA256(path)
	if err != nil {
		t.Fatal(err)
	}
	return remuda.EmbedSpec{Arch: remuda.MobileNetV3Large320, Weights: path, SHA256: sum, Side: 128}
}

// embed returns the vectors of files, and what was wrong with some.
func embed(t *testing.T, e *deploy.Embedder, files []string) (vectors [][]float32, problems map[int]string) {
	t.Helper()
	vectors, problems = make([][]float32, len(files)), make(map[int]string)
	err := e.Run(t.Context(), files, func(event remuda.Event) error {
		v := event.Embedding
		if v.Error != "" {
			problems[v.Index] = v.Error
		}
		vectors[v.Index] = v.Vector
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return vectors, problems
}

// photo is one of the bundled ones.
func photo(n int) string {
	return filepath.Join("..", "demo", "raccoon", "images", fmt.Sprintf("raccoon-%d.jpg", n))
}

// crop writes a part of a photo, given in tenths of its sides.
func crop(t *testing.T, path string, x0, y0, x1, y1 int) string {
	t.Helper()
	m, err := imageio.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	left, top, right, bottom := m.Width*x0/10, m.Height*y0/10, m.Width*x1/10, m.Height*y1/10
	part := imageio.NewRGB(right-left, bottom-top)
	for y := range part.Height {
		copy(part.Pix[3*part.Width*y:][:3*part.Width], m.Pix[3*(m.Width*(top+y)+left):])
	}
	encoded, err := imageio.EncodeJPEG(part, 90)
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "crop.jpg")
	if err := os.WriteFile(out, encoded, 0o600); err != nil {
		t.Fatal(err)
	}
	return out
}

// cosine of the angle between two vectors of length 1.
func cosine(a, b []float32) (sum float64) {
	for i := range a {
		sum += float64(a[i]) * float64(b[i])
	}
	return sum
}

func TestAVectorDependsOnItsImageAlone(t *testing.T) {
	e := embedder(t)
	files := []string{photo(1), photo(10), photo(1), photo(100), photo(101), photo(10), photo(102)}
	want, _ := embed(t, e, files)
	for _, split := range []int{1, 2, 3, 5} { // however the work is divided
		first, _ := embed(t, e, files[:split])
		rest, _ := embed(t, embedder(t), files[split:])
		for i, got := range append(first, rest...) {
			if !slices.Equal(got, want[i]) {
				t.Errorf("after %d: vector %d differs", split, i)
			}
		}
	}
	if !slices.Equal(want[0], want[2]) || !slices.Equal(want[1], want[5]) || slices.Equal(want[0], want[1]) {
		t.Error("the same image has two vectors, or two have the same")
	}
	for i, v := range want {
		if length := math.Sqrt(cosine(v, v)); len(v) != 960 || math.Abs(length-1) > 1e-6 {
			t.Errorf("vector %d has %d numbers and the length %v", i, len(v), length)
		}
	}
}

func TestCropsOfOnePhotoAreNearerThanOtherPhotos(t *testing.T) {
	e := embedder(t)
	var files []string
	for _, n := range []int{1, 10, 100, 101, 102, 103} {
		files = append(files, crop(t, photo(n), 0, 0, 9, 9), crop(t, photo(n), 1, 1, 10, 10))
	}
	vectors, problems := embed(t, e, files)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	for i := 0; i < len(files); i += 2 {
		twin := cosine(vectors[i], vectors[i+1])
		for j := range files {
			if other := cosine(vectors[i], vectors[j]); j/2 != i/2 && other >= twin {
				t.Errorf("photo %d: its crops are at %.3f, one of photo %d at %.3f", i/2, twin, j/2, other)
			}
		}
	}
}

func TestBrokenImagesAreNamedAndTheRestGetVectors(t *testing.T) {
	e := embedder(t)
	broken := filepath.Join(t.TempDir(), "broken.jpg")
	if err := os.WriteFile(broken, []byte("no picture"), 0o600); err != nil {
		t.Fatal(err)
	}
	vectors, problems := embed(t, e, []string{photo(1), broken, "absent.jpg", photo(10)})
	if len(problems) != 2 || problems[1] == "" || !strings.Contains(problems[2], "no such file") || len(vectors[0]) == 0 || len(vectors[3]) == 0 {
		t.Errorf("problems %v", problems)
	}
	if vectors, problems := embed(t, e, []string{broken}); vectors[0] != nil || len(problems) != 1 {
		t.Errorf("problems %v", problems)
	}
}

func TestEmbeddingStopsWhenAsked(t *testing.T) {
	e := embedder(t)
	ctx, cancel := context.WithCancel(t.Context())
	n := 0
	err := e.Run(ctx, slices.Repeat([]string{photo(1)}, 50), func(remuda.Event) error {
		n++
		cancel()
		return nil
	})
	if !errors.Is(err, context.Canceled) || n >= 50 {
		t.Errorf("%v after %d", err, n)
	}
}

func TestOtherWeightsThanAskedAreRefused(t *testing.T) {
	engine := enginetest.Open(t)
	spec := starterSpec(t)
	spec.SHA256 = strings.Repeat("0", 64)
	if _, err := deploy.OpenEmbedder(engine, spec); remuda.CodeOf(err) != remuda.Conflict {
		t.Errorf("other bytes: %v", err)
	}
	spec = starterSpec(t)
	spec.Arch = remuda.ResNet50FPN
	if _, err := deploy.OpenEmbedder(engine, spec); remuda.CodeOf(err) != remuda.Invalid {
		t.Errorf("another architecture: %v", err)
	}
}

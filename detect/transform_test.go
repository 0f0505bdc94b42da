package detect

import (
	"fmt"
	"math"
	"testing"

	"remuda"
	"remuda/imageio"
)

func TestImagesAreResizedAsTorchvisionDoes(t *testing.T) {
	r := readReference(t, remuda.ResNet50FPN)
	if len(r.Values.Resized) < 10 {
		t.Fatalf("the reference has %d sizes", len(r.Values.Resized))
	}
	for _, s := range r.Values.Resized {
		want := Size{s[2], s[3]}
		if got := resizedSize(Size{s[0], s[1]}, 800, 1333); got != want {
			t.Errorf("an image %d high and %d wide becomes %v, want %v", s[0], s[1], got, want)
		}
	}
}

func TestTransformAgreesWithTorchvisionAtDefaultSizes(t *testing.T) {
	r := readReference(t, remuda.ResNet50FPN)
	for _, s := range []Size{{427, 640}, {900, 1210}} {
		key := fmt.Sprintf("transform/%dx%d", s.Height, s.Width)
		b := Transform(Config{Arch: remuda.ResNet50FPN}, []*imageio.RGB{referenceImage(key, s.Height, s.Width)})
		r.check(t, key, channelsFirst(b.Pixels), 1e-6)
	}
}

// channelsFirst puts one image's pixels into torch's order.
func channelsFirst(pixels []float32) []float32 {
	out := make([]float32, 0, len(pixels))
	for c := range 3 {
		for i := c; i < len(pixels); i += 3 {
			out = append(out, pixels[i])
		}
	}
	return out
}

func TestBatchIsPaddedWithZerosToAMultipleOf32(t *testing.T) {
	c := Config{Arch: remuda.MobileNetV3Large320, MinSize: 40, MaxSize: 100}
	b := Transform(c, []*imageio.RGB{referenceImage("a", 20, 30), referenceImage("b", 60, 40)})
	if want := (Size{64, 64}); b.Padded != want {
		t.Fatalf("padded to %v, want %v", b.Padded, want)
	}
	if want := (Size{40, 60}); b.Sizes[0] != want || b.Originals[0] != (Size{20, 30}) {
		t.Errorf("the first image is %v of %v, want %v", b.Sizes[0], b.Originals[0], want)
	}
	for i, s := range b.Sizes {
		for y := range b.Padded.Height {
			for x := range b.Padded.Width {
				at := 3 * ((i*b.Padded.Height+y)*b.Padded.Width + x)
				inside := y < s.Height && x < s.Width
				if !inside && (b.Pixels[at] != 0 || b.Pixels[at+1] != 0 || b.Pixels[at+2] != 0) {
					t.Fatalf("image %d is not padded with zeros at %d, %d", i, x, y)
				}
			}
		}
	}
}

func TestZoomScalesTheSizeOfEachImage(t *testing.T) {
	c := Config{Arch: remuda.MobileNetV3Large320}
	images := []*imageio.RGB{imageio.NewRGB(400, 300), imageio.NewRGB(400, 300)}
	b := Transform(c, images, 1, 0.5)
	if b.Sizes[0] != (Size{320, 426}) || b.Sizes[1] != (Size{160, 213}) {
		t.Errorf("sizes are %v", b.Sizes)
	}
}

func TestSinglePixelBecomesAUniformImage(t *testing.T) {
	m := imageio.NewRGB(1, 1)
	copy(m.Pix, []byte{255, 0, 128})
	b := Transform(Config{Arch: remuda.MobileNetV3Large320}, []*imageio.RGB{m})
	want := [3]float64{(1 - 0.485) / 0.229, (0 - 0.456) / 0.224, (128.0/255 - 0.406) / 0.225}
	for i, v := range b.Pixels {
		if math.Abs(float64(v)-want[i%3]) > 1e-5 {
			t.Fatalf("channel %d is %v, want %v", i%3, v, want[i%3])
		}
	}
}

func BenchmarkTransform(b *testing.B) {
	for _, s := range []Size{{600, 800}, {1500, 2000}} {
		b.Run(fmt.Sprintf("%dx%d", s.Height, s.Width), func(b *testing.B) {
			m := []*imageio.RGB{referenceImage("a", s.Height, s.Width)}
			for b.Loop() {
				Transform(Config{Arch: remuda.ResNet50FPN}, m)
			}
		})
	}
}

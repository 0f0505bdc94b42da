package imageio

import (
	"bytes"
	"image"
	"image/color"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/image/draw"

	"remuda/geom"
)

// scene returns a picture with shapes large and small, different for each seed.
func scene(w, h int, seed uint64) *RGB {
	m := NewRGB(w, h)
	random := rand.New(rand.NewPCG(seed, 1))
	var waves [40][4]float64 // every low frequency has its share, as in photographs
	for i := range waves {
		waves[i] = [4]float64{60*random.Float64() - 30, 60*random.Float64() - 30, 6 * random.Float64(), 20 * random.Float64()}
	}
	for y := range h {
		for x := range w {
			v := 128.0
			for _, f := range waves {
				v += f[3] * math.Sin(f[0]*float64(x)/float64(w)+f[1]*float64(y)/float64(h)+f[2])
			}
			p := m.Pix[3*(y*w+x):]
			p[0], p[1], p[2] = clip8(int32(v)), clip8(int32(255-v)), clip8(int32(v/2+60))
		}
	}
	return m
}

// pixel returns a pixel's colour.
func (m *RGB) pixel(x, y int) [3]byte { return [3]byte(m.Pix[3*(y*m.Width+x):]) }

func TestFlipMirrors(t *testing.T) {
	for _, w := range []int{1, 2, 5} {
		m := scene(w, 3, 1)
		before := bytes.Clone(m.Pix)
		Flip(m)
		for y := range 3 {
			for x := range w {
				if got, want := m.pixel(x, y), [3]byte(before[3*(y*w+w-1-x):]); got != want {
					t.Fatalf("width %d: pixel %d,%d is %v, want %v", w, x, y, got, want)
				}
			}
		}
	}
}

// Ensure Image shows the pixels to other packages and can be drawn on.
func TestImageIsAView(t *testing.T) {
	m := scene(5, 4, 2)
	view := m.Image()
	for y := range 4 {
		for x := range 5 {
			p := m.pixel(x, y)
			if got := view.At(x, y); got != (color.RGBA{R: p[0], G: p[1], B: p[2], A: 255}) {
				t.Fatalf("pixel %d,%d is %v, want %v", x, y, got, p)
			}
		}
	}
	canvas, ok := view.(draw.Image)
	if !ok {
		t.Fatal("it can't be drawn on")
	}
	draw.Draw(canvas, image.Rect(1, 1, 9, 9), image.NewUniform(color.RGBA{R: 1, G: 2, B: 3, A: 255}), image.Point{}, draw.Src)
	if m.pixel(4, 3) != [3]byte{1, 2, 3} || m.pixel(0, 3) == [3]byte{1, 2, 3} {
		t.Errorf("drawing gave %v", m.Pix)
	}
}

// Ensure a thumbnail keeps the shape and is made of means, so that a pattern
// finer than its pixels turns grey.
func TestThumbnail(t *testing.T) {
	for _, c := range []struct{ w, h, side, wantW, wantH int }{
		{400, 200, 100, 100, 50}, {200, 400, 100, 50, 100}, {640, 426, 320, 320, 213},
		{1000, 1, 10, 10, 1}, {30, 20, 100, 30, 20}, {100, 100, 100, 100, 100}, {7, 5, 3, 3, 2},
	} {
		m := NewRGB(c.w, c.h)
		for i := range m.Pix {
			m.Pix[i] = byte(i % 3 * 60)
		}
		got := Thumbnail(m, c.side)
		if got.Width != c.wantW || got.Height != c.wantH {
			t.Errorf("%d × %d to %d: got %d × %d", c.w, c.h, c.side, got.Width, got.Height)
		}
		for i, v := range got.Pix {
			if v != byte(i%3*60) {
				t.Fatalf("%d × %d to %d: a plain image became %v", c.w, c.h, c.side, got.Pix[:6])
			}
		}
	}
	stripes := NewRGB(300, 300)
	for i := range stripes.Pix {
		stripes.Pix[i] = byte(i / 3 % 2 * 255)
	}
	for _, v := range Thumbnail(stripes, 100).Pix {
		if v < 84 || v > 171 { // two of three, or one of three, are white
			t.Fatalf("stripes became %d", v)
		}
	}
}

// Ensure a thumbnail of m shares nothing with it.
func TestThumbnailIsACopy(t *testing.T) {
	m := scene(4, 4, 3)
	want := bytes.Clone(m.Pix)
	clear(Thumbnail(m, 100).Pix)
	if !bytes.Equal(m.Pix, want) {
		t.Error("the image was changed")
	}
}

func TestEncodeJPEGComesBack(t *testing.T) {
	m := scene(256, 192, 4)
	b, err := EncodeJPEG(m, 95)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	if mean, _ := difference(got.Pix, m.Pix); got.Width != 256 || got.Height != 192 || mean > 3 {
		t.Errorf("%d × %d, differs by %.1f", got.Width, got.Height, mean)
	}
	if _, err := EncodeJPEG(NewRGB(1<<16, 1), 90); err == nil {
		t.Error("a side that JPEG can't hold was encoded")
	}
}

// Ensure the hash hardly changes when a picture is encoded again or scaled, and
// tells different pictures apart.
func TestPerceptualHash(t *testing.T) {
	var hashes []uint64
	for seed := range uint64(20) {
		m := scene(400, 300, seed)
		hash := PerceptualHash(m)
		b, err := EncodeJPEG(m, 40)
		if err != nil {
			t.Fatal(err)
		}
		again, err := Decode(b)
		if err != nil {
			t.Fatal(err)
		}
		larger := NewRGB(620, 465)
		draw.BiLinear.Scale(larger.Image().(draw.Image), larger.Image().Bounds(), m.Image(), m.Image().Bounds(), draw.Src, nil)
		for name, copied := range map[string]*RGB{"encoded again": again, "smaller": Thumbnail(m, 150), "larger": larger} {
			if d := Distance(hash, PerceptualHash(copied)); d > 4 {
				t.Errorf("picture %d, %s: %d bits differ", seed, name, d)
			}
		}
		for other, h := range hashes {
			if d := Distance(hash, h); d <= 4 {
				t.Errorf("pictures %d and %d differ in %d bits only", seed, other, d)
			}
		}
		hashes = append(hashes, hash)
	}
}

// Ensure flat and tiny images have hashes that don't depend on rounding.
func TestPerceptualHashOfPlainImages(t *testing.T) {
	for _, size := range [][2]int{{1, 1}, {33, 77}, {640, 480}} {
		m := NewRGB(size[0], size[1])
		for i := range m.Pix {
			m.Pix[i] = 97
		}
		if got := PerceptualHash(m); got != 1 {
			t.Errorf("%v: hash %016x, want only the mean's bit", size, got)
		}
	}
}

func TestInspect(t *testing.T) {
	got, err := Inspect("testdata/pillow/turned-6.jpg")
	if err != nil {
		t.Fatal(err)
	}
	const sum = 64
	if got.Width != 14 || got.Height != 21 || got.StoredWidth != 21 || got.Orientation != 6 || len(got.SHA256) != sum {
		t.Errorf("got %+v", got)
	}
	m, err := Open("testdata/pillow/turned-6.jpg")
	if err != nil || got.PerceptualHash != PerceptualHash(m) {
		t.Errorf("hash %x, %v", got.PerceptualHash, err)
	}
	if _, err := Inspect("testdata/pillow/cut.bad.jpg"); err == nil {
		t.Error("a cut file passed")
	}
}

// Ensure boxes are outlined in their colour, labels stay on the image, and
// nothing is drawn elsewhere or crashes at any size.
func TestDrawBoxes(t *testing.T) {
	red := color.RGBA{R: 255, A: 255}
	m := NewRGB(200, 150)
	if err := DrawBoxes(m, []Drawn{{Box: geom.Box{X0: 50, Y0: 60, X1: 120, Y1: 110}, Label: "horse 0.93", Color: red}}); err != nil {
		t.Fatal(err)
	}
	for _, p := range [][2]int{{50, 60}, {119, 60}, {50, 109}, {119, 109}, {80, 60}, {50, 80}} {
		if m.pixel(p[0], p[1]) != [3]byte{255, 0, 0} {
			t.Errorf("pixel %v is %v", p, m.pixel(p[0], p[1]))
		}
	}
	for _, p := range [][2]int{{85, 85}, {130, 85}, {85, 120}, {20, 20}} {
		if m.pixel(p[0], p[1]) != [3]byte{} {
			t.Errorf("pixel %v is %v, want it untouched", p, m.pixel(p[0], p[1]))
		}
	}
	white := 0 // letters on the label above the box
	for y := 40; y < 60; y++ {
		for x := 50; x < 120; x++ {
			if m.pixel(x, y) == [3]byte{255, 255, 255} {
				white++
			}
		}
	}
	if white < 30 {
		t.Errorf("%d white pixels of letters", white)
	}
	for _, size := range [][2]int{{1, 1}, {9, 300}, {3000, 20}} {
		m := NewRGB(size[0], size[1])
		boxes := []Drawn{{Box: geom.Box{X0: -50, Y0: -50, X1: 5000, Y1: 5000}, Label: "Grüße, лошадь", Color: red}, {Box: geom.Box{X0: 1e6, Y0: 1e6, X1: 2e6, Y1: 2e6}, Label: "gone"}}
		if err := DrawBoxes(m, boxes); err != nil {
			t.Errorf("%v: %v", size, err)
		}
	}
}

// benchmarkJPEG returns a photograph, or a scene where there is none.
func benchmarkJPEG(b *testing.B) []byte {
	data, err := os.ReadFile(filepath.FromSlash("../../shared/data/horses/images/ranch_0305.jpg"))
	if err == nil {
		return data
	}
	if data, err = EncodeJPEG(scene(640, 480, 1), 90); err != nil {
		b.Fatal(err)
	}
	return data
}

// Decoding a JPEG to RGB by libjpeg-turbo and by the standard library.
func BenchmarkJPEG(b *testing.B) {
	data := benchmarkJPEG(b)
	for name, decode := range map[string]func() (*RGB, error){
		JPEGDecoder():         func() (*RGB, error) { return Decode(data) },
		"Go standard library": func() (*RGB, error) { return decodeJPEGStd(data) },
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				if _, err := decode(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

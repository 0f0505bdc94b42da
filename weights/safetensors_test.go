package weights

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"remuda"
)

func TestWhatIsWrittenIsReadBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "model.safetensors")
	arrays := []Array{
		valuesOf("b.weight", []int{2, 3}, []float32{1, 2, 3, 4, 5, -6.5}),
		valuesOf("a.scalar", nil, []float32{0.25}),
		valuesOf("c.empty", []int{0, 4}, nil),
	}
	sum, err := WriteSafetensors(path, arrays, map[string]string{"step": "12", "note": "a < b"})
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(arrays)
	again, err := WriteSafetensors(path, arrays, map[string]string{"note": "a < b", "step": "12"})
	if err != nil || again != sum {
		t.Errorf("the same arrays in another order gave %s, %v; want %s", again, err, sum)
	}
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if got := f.Names(); !slices.Equal(got, []string{"a.scalar", "b.weight", "c.empty"}) {
		t.Errorf("names %v", got)
	}
	if got, err := f.Read("b.weight"); err != nil || !slices.Equal(got, []float32{1, 2, 3, 4, 5, -6.5}) {
		t.Errorf("b.weight is %v, %v", got, err)
	}
	if got := f.Shape("a.scalar"); got == nil || len(got) != 0 {
		t.Errorf("shape of a scalar is %#v, want an empty slice", got)
	}
	if got := f.Metadata(); got["step"] != "12" || got["note"] != "a < b" {
		t.Errorf("metadata %v", got)
	}
	if _, err := f.Read("missing"); remuda.CodeOf(err) != remuda.NotFound {
		t.Errorf("reading a missing array: %v", err)
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 1 {
		t.Errorf("files left behind: %v, %v", entries, err)
	}
}

func TestAFailedWriteLeavesTheOldFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "model.safetensors")
	if _, err := WriteSafetensors(path, []Array{valuesOf("a", []int{1}, []float32{1})}, nil); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	cause := errors.New("the engine has gone")
	failing := Array{Name: "a", Shape: []int{1}, Read: func() ([]float32, error) { return nil, cause }}
	full := Array{Name: "a", Shape: []int{1}, Read: func() ([]float32, error) { return nil, syscall.ENOSPC }}
	if _, err := WriteSafetensors(path, []Array{full}, nil); remuda.CodeOf(err) != remuda.Unavailable || !strings.Contains(err.Error(), "disk is full") {
		t.Errorf("a full disk: %v", err)
	}
	wrongCount := valuesOf("a", []int{2}, []float32{1})
	for _, a := range []Array{failing, wrongCount} {
		if _, err := WriteSafetensors(path, []Array{a}, nil); err == nil {
			t.Error("a failing array was written")
		}
	}
	after, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(before, after) {
		t.Errorf("the old file changed: %v", err)
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 1 {
		t.Errorf("files left behind: %v, %v", entries, err)
	}
}

// bytesOf builds a safetensors file from its header and as many zero bytes.
func bytesOf(header string, data int) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(b, header...), make([]byte, data)...)
}

func TestBadSafetensorsAreRefused(t *testing.T) {
	huge := binary.LittleEndian.AppendUint64(nil, 1<<62)
	cases := []struct {
		name string
		file []byte
		want string
	}{
		{"empty file", nil, "empty"},
		{"text", []byte("hello, these are my weights"), "neither safetensors nor"},
		{"header larger than allowed", append(huge, '{', '}'), "claims"},
		{"header cut off", bytesOf(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, 4)[:30], "truncated"},
		{"data cut off", bytesOf(`{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}`, 15), "truncated"},
		{"data too long", bytesOf(`{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}`, 20), "4 bytes follow"},
		{"overlap", bytesOf(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}`, 12), `"b"`},
		{"hole", bytesOf(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[8,12]}}`, 12), `"b"`},
		{"shape against offsets", bytesOf(`{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,16]}}`, 16), `"a"`},
		{"overflowing shape", bytesOf(`{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}}`, 0), "too large"},
		{"negative size", bytesOf(`{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,0]}}`, 0), "negative"},
		{"unknown type", bytesOf(`{"a":{"dtype":"F8_E4M3","shape":[1],"data_offsets":[0,1]}}`, 1), "F8_E4M3"},
		{"name twice", bytesOf(`{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}`, 0), "twice"},
		{"offsets as words", bytesOf(`{"a":{"dtype":"F32","shape":[1],"data_offsets":["0","4"]}}`, 4), "header"},
		{"header goes on", bytesOf(`{} {}`, 0), "goes on"},
		{"header not closed", bytesOf(`{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}`, 0), "header"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "bad.safetensors")
			if err := os.WriteFile(path, c.file, 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := Open(path)
			if remuda.CodeOf(err) != remuda.Invalid || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("got %v; want an invalid file, its path and %q", err, c.want)
			}
			if err != nil && remuda.HintOf(err) == "" {
				t.Errorf("no hint with %v", err)
			}
		})
	}
}

func TestEveryNumberTypeBecomesFloat32(t *testing.T) {
	cases := []struct {
		dtype dtype
		raw   []byte
		want  []float32
	}{
		{float64Type, []byte{0, 0, 0, 0, 0, 0, 0xf8, 0xbf}, []float32{-1.5}},
		{float32Type, []byte{0, 0, 0xc0, 0x3f}, []float32{1.5}},
		{float16Type, []byte{0, 0x3e, 1, 0, 0xff, 0x7b, 0, 0x80, 0, 0xfc}, []float32{1.5, 1.0 / (1 << 24), 65504, 0, float32(math.Inf(-1))}},
		{bfloat16Type, []byte{0xc0, 0xbf}, []float32{-1.5}},
		{int64Type, []byte{0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, []float32{-2}},
		{int32Type, []byte{0xfe, 0xff, 0xff, 0xff}, []float32{-2}},
		{int16Type, []byte{0xfe, 0xff}, []float32{-2}},
		{int8Type, []byte{0xfe}, []float32{-2}},
		{uint8Type, []byte{0xfe}, []float32{254}},
		{boolType, []byte{1, 0}, []float32{1, 0}},
	}
	for _, c := range cases {
		got := make([]float32, len(c.want))
		if err := c.dtype.readInto(got, bytes.NewReader(c.raw), 0); err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, %v; want %v", c.dtype, got, err, c.want)
		}
	}
}

// valuesOf is an Array whose values are in memory already.
func valuesOf(name string, shape []int, data []float32) Array {
	return Array{Name: name, Shape: shape, Read: func() ([]float32, error) { return data, nil }}
}

package weights

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
)

// dtype is the type of the numbers in a file, by its name in safetensors.
type dtype string

const (
	float64Type  dtype = "F64"
	float32Type  dtype = "F32"
	float16Type  dtype = "F16"
	bfloat16Type dtype = "BF16"
	int64Type    dtype = "I64"
	int32Type    dtype = "I32"
	int16Type    dtype = "I16"
	int8Type     dtype = "I8"
	uint8Type    dtype = "U8"
	boolType     dtype = "BOOL"
)

// width returns the bytes of one number, 0 for a type that is not known.
func (d dtype) width() int {
	switch d {
	case float64Type, int64Type:
		return 8
	case float32Type, int32Type:
		return 4
	case float16Type, bfloat16Type, int16Type:
		return 2
	case int8Type, uint8Type, boolType:
		return 1
	}
	return 0
}

// readInto fills dst with the numbers that begin at offset, as float32.
func (d dtype) readInto(dst []float32, data io.ReaderAt, offset int64) error {
	const chunk = 1 << 16 // numbers; keeps the buffer small beside the result
	width := d.width()
	buffer := make([]byte, min(len(dst), chunk)*width)
	for len(dst) > 0 {
		part := dst[:min(len(dst), chunk)]
		raw := buffer[:len(part)*width]
		if _, err := io.ReadFull(io.NewSectionReader(data, offset, int64(len(raw))), raw); err != nil {
			return fmt.Errorf("read numbers: %w", err)
		}
		d.convert(part, raw)
		dst, offset = dst[len(part):], offset+int64(len(raw))
	}
	return nil
}

// convert decodes little-endian numbers; raw holds exactly len(dst) of them.
func (d dtype) convert(dst []float32, raw []byte) {
	le := binary.LittleEndian
	switch d {
	case float64Type:
		for i := range dst {
			dst[i] = float32(math.Float64frombits(le.Uint64(raw[8*i:])))
		}
	case float32Type:
		for i := range dst {
			dst[i] = math.Float32frombits(le.Uint32(raw[4*i:]))
		}
	case float16Type:
		for i := range dst {
			dst[i] = halfToFloat(le.Uint16(raw[2*i:]))
		}
	case bfloat16Type:
		for i := range dst {
			dst[i] = math.Float32frombits(uint32(le.Uint16(raw[2*i:])) << 16)
		}
	case int64Type:
		for i := range dst {
			dst[i] = float32(int64(le.Uint64(raw[8*i:])))
		}
	case int32Type:
		for i := range dst {
			dst[i] = float32(int32(le.Uint32(raw[4*i:])))
		}
	case int16Type:
		for i := range dst {
			dst[i] = float32(int16(le.Uint16(raw[2*i:])))
		}
	case int8Type:
		for i := range dst {
			dst[i] = float32(int8(raw[i]))
		}
	case uint8Type, boolType:
		for i := range dst {
			dst[i] = float32(raw[i])
		}
	}
}

// halfToFloat widens an IEEE 754 binary16 number, which is always exact.
func halfToFloat(h uint16) float32 {
	sign := uint32(h>>15) << 31
	exponent, fraction := uint32(h>>10)&0x1f, uint32(h)&0x3ff
	switch exponent {
	case 0: // zero and subnormals: fraction × 2⁻²⁴
		value := float32(fraction) * (1.0 / (1 << 24))
		return math.Float32frombits(math.Float32bits(value) | sign)
	case 0x1f: // infinities and NaNs
		return math.Float32frombits(sign | 0xff<<23 | fraction<<13)
	}
	return math.Float32frombits(sign | (exponent+127-15)<<23 | fraction<<13)
}

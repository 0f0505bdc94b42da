package detect

import (
	"hash/fnv"
	"math"
)

// stream is a counter-based generator: number i of a stream depends on the
// seed, the tensor's name and i alone, so a tensor starts with the same values
// whatever else the model has.
type stream uint64

func newStream(seed uint64, name string) stream {
	h := fnv.New64a()
	h.Write([]byte(name)) // never fails
	return stream(mix(seed) ^ h.Sum64())
}

// mix is the output function of SplitMix64 (Steele, Lea and Flood, 2014).
func mix(z uint64) uint64 {
	z += 0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// bits returns number i of the stream.
func (s stream) bits(i int) uint64 { return mix(uint64(s) + uint64(i)*0x9e3779b97f4a7c15) }

// uniform returns number i of the stream, in (0, 1).
func (s stream) uniform(i int) float64 {
	return (float64(s.bits(i)>>11) + 0.5) / (1 << 53)
}

// normals returns numbers 2i and 2i+1 of the stream as two independent
// standard normal ones (Box and Muller).
func (s stream) normals(i int) (float64, float64) {
	radius := math.Sqrt(-2 * math.Log(s.uniform(2*i)))
	sin, cos := math.Sincos(2 * math.Pi * s.uniform(2*i+1))
	return radius * cos, radius * sin
}

// filler gives a new tensor its values.
type filler func(s stream, data []float32)

func constant(v float32) filler {
	return func(_ stream, data []float32) {
		for i := range data {
			data[i] = v
		}
	}
}

// uniformWithin draws from −bound to bound.
func uniformWithin(bound float64) filler {
	return func(s stream, data []float32) {
		for i := range data {
			data[i] = float32(bound * (2*s.uniform(i) - 1))
		}
	}
}

func normalOf(deviation float64) filler {
	return func(s stream, data []float32) {
		for i := 0; i < len(data); i += 2 {
			a, b := s.normals(i / 2)
			data[i] = float32(deviation * a)
			if i+1 < len(data) {
				data[i+1] = float32(deviation * b)
			}
		}
	}
}

// kaimingNormal keeps the variance of gradients through a convolution with out
// outputs of kernel × kernel and a ReLU (He et al., arXiv:1502.01852, equation 14).
func kaimingNormal(out, kernel int) filler {
	return normalOf(math.Sqrt(2 / float64(out*kernel*kernel)))
}

// kaimingUniform keeps the variance of activations through a convolution
// without activation that has in inputs of kernel × kernel.
func kaimingUniform(in, kernel int) filler {
	return uniformWithin(math.Sqrt(3 / float64(in*kernel*kernel)))
}

// The gradient of a convolution's weight as matrix products over locations.
#include <ATen/Parallel.h>

#include "conv.h"
#include "gemm.h"

namespace remuda {

namespace {

template <class T>
const T* data(const Tensor& t) { return static_cast<const T*>(t.data_ptr()); }

template <class T>
void pointwise(const Tensor& g, const Tensor& x, float* out) {
  const int64_t outputs = g.size(1), channels = x.size(1), locations = g.numel() / outputs;
  gemm(outputs, channels, locations, Matrix<T>{data<T>(g), outputs, true}, Matrix<T>{data<T>(x), channels}, out, channels, false);
}

// pad copies rows of width locations, each followed by a zero one.
template <class T>
void pad(T* out, const T* in, int64_t rows, int64_t width, int64_t channels) {
  at::parallel_for(0, rows, 1, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      T* to = out + r * (width + 1) * channels;
      std::memcpy(static_cast<void*>(to), in + r * width * channels, width * channels * sizeof(T));
      std::memset(static_cast<void*>(to + width * channels), 0, channels * sizeof(T));
    }
  });
}

// With a zero location after each row and a zero row above and below, what tap
// (dy, dx) reads lies at one fixed distance from what is written, for all
// locations of an image: its gradient is one product of the same memory, moved.
template <class T>
void three_by_three(const Tensor& g, const Tensor& x, float* out) {
  const int64_t outputs = g.size(1), channels = x.size(1), height = x.size(2), width = x.size(3), row = width + 1;
  const Tensor px = at::zeros({((height + 2) * row + 2) * channels}, x.options());  // one location before, one after
  const Tensor pg = at::empty({height * row * outputs}, g.options());
  T* const inside = static_cast<T*>(px.data_ptr()) + (1 + row) * channels;
  for (int64_t image = 0; image < x.size(0); ++image) {
    pad(inside, data<T>(x) + image * height * width * channels, height, width, channels);
    pad(static_cast<T*>(pg.data_ptr()), data<T>(g) + image * height * width * outputs, height, width, outputs);
    for (int64_t k = 0; k < 9; ++k) {
      const T* const moved = inside + ((k / 3 - 1) * row + k % 3 - 1) * channels;
      gemm(outputs, channels, height * row, Matrix<T>{data<T>(pg), outputs, true}, Matrix<T>{moved, channels}, out + k * channels, 9 * channels,
           image > 0);
    }
  }
}

template <class T>
void compute(const Tensor& g, const Tensor& x, int64_t kernel, float* out) {
  if (kernel == 1) {
    pointwise<T>(g, x, out);
  } else {
    three_by_three<T>(g, x, out);
  }
}

}  // namespace

Tensor conv_weight_gradient(const Tensor& g, const Tensor& x, const Tensor& w, const ConvShape& s) {
  const int64_t kernel = w.size(2);
  const bool known = (kernel == 1 && s.pad == 0) || (kernel == 3 && s.pad == 1 && s.stride == 1);
  if (!g.is_cpu() || !multiplies_fast(g.scalar_type()) || !known || s.groups != 1 || w.size(3) != kernel || g.numel() == 0) return {};
  // A 1x1 kernel at a stride sees every stride-th location alone.
  const Tensor seen = s.stride == 1 ? x : channels_last(x.slice(2, 0, INT64_MAX, s.stride).slice(3, 0, INT64_MAX, s.stride));
  const Tensor out = at::empty({w.size(0), kernel, kernel, x.size(1)}, g.options().dtype(at::kFloat));
  if (g.scalar_type() == at::kFloat) {
    compute<float>(g, seen, kernel, out.data_ptr<float>());
  } else if (g.scalar_type() == at::kBFloat16) {
    compute<Bf16>(g, seen, kernel, out.data_ptr<float>());
  } else {
    return {};
  }
  return out.permute({0, 3, 1, 2}).to(w.scalar_type());
}

}  // namespace remuda

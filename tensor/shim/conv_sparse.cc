// The backward of a 3x3 convolution that skips locations without gradient. A
// pyramid's finest levels get gradient at sampled RoIs and patches alone, and
// the convolution there is the most costly of all. The sums are the same: what
// is left out is zero.
#include <ATen/Parallel.h>

#include "conv.h"
#include "gemm.h"

namespace remuda {

namespace {

constexpr int64_t kTaps = 9;        // of a 3x3 kernel
constexpr int64_t kChunk = 512;    // locations unfolded at once
constexpr double kWorthwhile = 0.75;  // the share of locations up to which this is faster

template <class T>
bool is_zero(const T* row, int64_t n) {
  for (int64_t i = 0; i < n; ++i)
    if (to_float(row[i]) != 0) return false;
  return true;
}

// nonzero_rows lists rows of [rows, n] that are not all zero, in order.
template <class T>
std::vector<int64_t> nonzero_rows(const T* data, int64_t rows, int64_t n) {
  const int64_t parts = at::get_num_threads();
  std::vector<std::vector<int64_t>> found(parts);
  at::parallel_for(0, parts, 1, [&](int64_t begin, int64_t end) {
    for (int64_t part = begin; part < end; ++part)
      for (int64_t r = rows * part / parts; r < rows * (part + 1) / parts; ++r)
        if (!is_zero(data + r * n, n)) found[part].push_back(r);
  });
  std::vector<int64_t> all;
  for (const auto& f : found) all.insert(all.end(), f.begin(), f.end());
  return all;
}

// Plane is the layout of a channels-last feature map.
struct Plane {
  int64_t height, width;

  // neighbour returns the row of the location that tap k of a kernel at row reads, or −1 beyond the border.
  int64_t neighbour(int64_t row, int64_t k) const {
    const int64_t y = row / width % height + k / 3 - 1, x = row % width + k % 3 - 1;
    return y < 0 || y >= height || x < 0 || x >= width ? -1 : row + (k / 3 - 1) * width + k % 3 - 1;
  }
};

template <class T>
void unfold(T* out, const T* x, const int64_t* rows, int64_t n, const Plane& plane, int64_t channels) {
  at::parallel_for(0, n, 64, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      for (int64_t k = 0; k < kTaps; ++k) {
        T* to = out + (i * kTaps + k) * channels;
        const int64_t from = plane.neighbour(rows[i], k);
        if (from < 0) {
          std::memset(static_cast<void*>(to), 0, channels * sizeof(T));
        } else {
          std::memcpy(static_cast<void*>(to), x + from * channels, channels * sizeof(T));
        }
      }
  });
}

// with_neighbours lists the rows that are in rows or next to one, in order.
std::vector<int64_t> with_neighbours(const std::vector<int64_t>& rows, int64_t total, const Plane& plane) {
  std::vector<uint8_t> reached(total, 0);
  for (const int64_t r : rows)
    for (int64_t k = 0; k < kTaps; ++k) {
      const int64_t to = plane.neighbour(r, k);
      if (to >= 0) reached[to] = 1;
    }
  std::vector<int64_t> out;
  for (int64_t r = 0; r < total; ++r)
    if (reached[r]) out.push_back(r);
  return out;
}

// input_gradient is the convolution of g with the turned weight, at rows alone.
template <class T>
Tensor input_gradient(const Tensor& g, const Tensor& w, const std::vector<int64_t>& rows, const Plane& plane) {
  const int64_t outputs = w.size(0), channels = w.size(1), width = kTaps * outputs, n = static_cast<int64_t>(rows.size());
  const Tensor weight = w.flip({2, 3}).permute({2, 3, 0, 1}).reshape({width, channels});
  const Tensor out = at::zeros({g.size(0), plane.height, plane.width, channels}, g.options());
  std::vector<T> unfolded(std::min(n, kChunk) * width);
  std::vector<float> sums(std::min(n, kChunk) * channels);
  for (int64_t begin = 0; begin < n; begin += kChunk) {
    const int64_t m = std::min(kChunk, n - begin);
    unfold(unfolded.data(), static_cast<const T*>(g.data_ptr()), rows.data() + begin, m, plane, outputs);
    gemm(m, channels, width, Matrix<T>{unfolded.data(), width}, Matrix<T>{static_cast<const T*>(weight.data_ptr()), channels}, sums.data(), channels, false);
    at::parallel_for(0, m, 64, [&](int64_t first, int64_t last) {
      for (int64_t i = first; i < last; ++i)
        convert(static_cast<T*>(out.data_ptr()) + rows[begin + i] * channels, sums.data() + i * channels, channels);
    });
  }
  return out.permute({0, 3, 1, 2});
}

template <class T>
Tensor weight_gradient(const Tensor& g, const Tensor& x, const Tensor& w, const std::vector<int64_t>& rows, const Plane& plane) {
  const int64_t outputs = w.size(0), channels = w.size(1), width = kTaps * channels, n = static_cast<int64_t>(rows.size());
  const Tensor out = at::empty({outputs, 3, 3, channels}, g.options().dtype(at::kFloat), at::MemoryFormat::Contiguous);
  const T* const from = static_cast<const T*>(g.data_ptr());
  std::vector<T> picked(std::min(n, kChunk) * outputs), unfolded(std::min(n, kChunk) * width);
  for (int64_t begin = 0; begin < n; begin += kChunk) {
    const int64_t m = std::min(kChunk, n - begin);
    for (int64_t i = 0; i < m; ++i)
      std::memcpy(static_cast<void*>(picked.data() + i * outputs), from + rows[begin + i] * outputs, outputs * sizeof(T));
    unfold(unfolded.data(), static_cast<const T*>(x.data_ptr()), rows.data() + begin, m, plane, channels);
    gemm(outputs, width, m, Matrix<T>{picked.data(), outputs, true}, Matrix<T>{unfolded.data(), width}, out.data_ptr<float>(), width, begin > 0);
  }
  return out.permute({0, 3, 1, 2}).to(w.scalar_type());
}

template <class T>
std::optional<ConvGrads> attempt(const Tensor& g, Tensor& x, const Tensor& w, ConvNeeds needs) {
  const int64_t total = g.numel() / g.size(1);
  const auto rows = nonzero_rows(static_cast<const T*>(g.data_ptr()), total, g.size(1));
  if (rows.empty() || static_cast<double>(rows.size()) > kWorthwhile * static_cast<double>(total)) return std::nullopt;
  const Plane plane{x.size(2), x.size(3)};
  ConvGrads out;
  if (needs.w) out.w = weight_gradient<T>(g, x, w, rows, plane);
  if (needs.b) out.b = sum_rows(g, w.size(0)).to(w.scalar_type());
  x.reset();
  if (needs.x) out.x = input_gradient<T>(g, w, with_neighbours(rows, total, plane), plane);
  return out;
}

}  // namespace

std::optional<ConvGrads> sparse_conv_backward(const Tensor& g, Tensor& x, const Tensor& w, const ConvShape& s, ConvNeeds needs) {
  if (!g.is_cpu() || s.stride != 1 || s.pad != 1 || s.groups != 1 || w.size(2) != 3 || w.size(3) != 3 || g.numel() == 0) return std::nullopt;
  if (g.scalar_type() == at::kFloat) return attempt<float>(g, x, w, needs);
  if (g.scalar_type() == at::kBFloat16) return attempt<Bf16>(g, x, w, needs);
  return std::nullopt;
}

}  // namespace remuda

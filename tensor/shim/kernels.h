// Loops over channels, compiled for several instruction sets; the processor
// picks one when the library is loaded.
#pragma once

#include <c10/util/BFloat16.h>

#include <cstdint>
#include <cstring>

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define REMUDA_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define REMUDA_CLONES
#endif

namespace remuda {

// bfloat16 is the upper half of a float32. Written out so that it vectorizes.
struct Bf16 {
  uint16_t bits;
};

inline float to_float(float v) { return v; }

inline float to_float(Bf16 v) {
  const uint32_t wide = static_cast<uint32_t>(v.bits) << 16;
  float out;
  std::memcpy(&out, &wide, sizeof out);
  return out;
}

inline void from_float(float v, float* out) { *out = v; }

// Rounds to nearest, ties to even; NaN stays NaN.
inline void from_float(float v, Bf16* out) {
  uint32_t wide;
  std::memcpy(&wide, &v, sizeof wide);
  const uint32_t rounded = (wide + 0x7fff + ((wide >> 16) & 1)) >> 16;
  out->bits = v != v ? 0x7fc0 : static_cast<uint16_t>(rounded);
}

constexpr int64_t kBlock = 64;

// weighted_sum: out[c] = sum over i of w[i] * src[i][c].
template <class T>
inline void weighted_sum_body(float* out, const T* const* src, const float* w, int64_t n, int64_t channels) {
  int64_t c = 0;
  for (; c + kBlock <= channels; c += kBlock) {
    float acc[kBlock] = {};
    for (int64_t i = 0; i < n; ++i) {
      const T* s = src[i] + c;
      for (int64_t j = 0; j < kBlock; ++j) acc[j] += w[i] * to_float(s[j]);
    }
    for (int64_t j = 0; j < kBlock; ++j) out[c + j] = acc[j];
  }
  for (; c < channels; ++c) {
    float acc = 0;
    for (int64_t i = 0; i < n; ++i) acc += w[i] * to_float(src[i][c]);
    out[c] = acc;
  }
}

REMUDA_CLONES inline void weighted_sum(float* out, const float* const* src, const float* w, int64_t n, int64_t channels) {
  weighted_sum_body(out, src, w, n, channels);
}

REMUDA_CLONES inline void weighted_sum(float* out, const Bf16* const* src, const float* w, int64_t n, int64_t channels) {
  weighted_sum_body(out, src, w, n, channels);
}

// axpy: out += w * src.
REMUDA_CLONES inline void axpy(float* out, const float* src, float w, int64_t n) {
  for (int64_t i = 0; i < n; ++i) out[i] += w * src[i];
}

REMUDA_CLONES inline void convert(float* out, const float* src, int64_t n) {
  std::memcpy(out, src, n * sizeof(float));
}

REMUDA_CLONES inline void convert(Bf16* out, const float* src, int64_t n) {
  for (int64_t i = 0; i < n; ++i) from_float(src[i], out + i);
}

// biased: out = in + bias, or the larger of that and 0.
template <class T>
inline void biased_body(T* out, const float* in, const float* bias, int64_t n, float floor) {
  for (int64_t i = 0; i < n; ++i) {
    const float v = in[i] + bias[i];
    from_float(v < floor ? floor : v, out + i);
  }
}

REMUDA_CLONES inline void biased(float* out, const float* in, const float* bias, int64_t n, float floor) { biased_body(out, in, bias, n, floor); }
REMUDA_CLONES inline void biased(Bf16* out, const float* in, const float* bias, int64_t n, float floor) { biased_body(out, in, bias, n, floor); }

// add_relu: y = max(y + r, 0).
template <class T>
inline void add_relu_body(T* y, const T* r, int64_t n) {
  for (int64_t i = 0; i < n; ++i) {
    const float v = to_float(y[i]) + to_float(r[i]);
    from_float(v < 0 ? 0.f : v, y + i);
  }
}

REMUDA_CLONES inline void add_relu(float* y, const float* r, int64_t n) { add_relu_body(y, r, n); }
REMUDA_CLONES inline void add_relu(Bf16* y, const Bf16* r, int64_t n) { add_relu_body(y, r, n); }

// descend: one step of SGD with momentum.
REMUDA_CLONES inline void descend(float* p, float* m, const float* g, int64_t n, float lr, float momentum, float decay) {
  for (int64_t i = 0; i < n; ++i) {
    m[i] = momentum * m[i] + (g[i] + decay * p[i]);
    p[i] -= lr * m[i];
  }
}

// approach: d += weight * (s - d).
REMUDA_CLONES inline void approach(float* d, const float* s, int64_t n, float weight) {
  for (int64_t i = 0; i < n; ++i) d[i] += weight * (s[i] - d[i]);
}

// scaled: out = in * scale.
template <class To, class From>
inline void scaled_body(To* out, const From* in, int64_t n, float scale) {
  for (int64_t i = 0; i < n; ++i) from_float(to_float(in[i]) * scale, out + i);
}

REMUDA_CLONES inline void scaled(float* out, const float* in, int64_t n, float scale) { scaled_body(out, in, n, scale); }
REMUDA_CLONES inline void scaled(Bf16* out, const float* in, int64_t n, float scale) { scaled_body(out, in, n, scale); }
REMUDA_CLONES inline void scaled(float* out, const Bf16* in, int64_t n, float scale) { scaled_body(out, in, n, scale); }

// add_rows: sum[c] += the column's elements; rows are n elements long.
template <class T>
inline void add_rows_body(float* sum, const T* in, int64_t rows, int64_t n) {
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < n; ++c) sum[c] += to_float(in[r * n + c]);
}

REMUDA_CLONES inline void add_rows(float* sum, const float* in, int64_t rows, int64_t n) { add_rows_body(sum, in, rows, n); }
REMUDA_CLONES inline void add_rows(float* sum, const Bf16* in, int64_t rows, int64_t n) { add_rows_body(sum, in, rows, n); }

// transpose: out[j][i] = in[i][j], with a change of type.
template <class To, class From>
inline void transpose(To* out, const From* in, int64_t rows, int64_t cols) {
  constexpr int64_t tile = 16;
  for (int64_t i0 = 0; i0 < rows; i0 += tile)
    for (int64_t j0 = 0; j0 < cols; j0 += tile)
      for (int64_t j = j0; j < j0 + tile && j < cols; ++j)
        for (int64_t i = i0; i < i0 + tile && i < rows; ++i) from_float(to_float(in[i * cols + j]), out + j * rows + i);
}

}  // namespace remuda

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

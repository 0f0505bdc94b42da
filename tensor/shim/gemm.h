// Matrix products with float32 results.
#pragma once

#include "kernels.h"
#include "shim.h"

namespace remuda {

// find_gemm looks for oneDNN's own matrix products; call it once libtorch is loaded.
void find_gemm();

// multiplies_fast tells whether products of a type come from oneDNN, directly or
// through libtorch, which has float32 ones from elsewhere.
bool multiplies_fast(at::ScalarType type);

// Matrix is a row-major part of memory; transposed means that it is used so.
template <class T>
struct Matrix {
  const T* data;
  int64_t stride;  // elements from row to row
  bool transposed = false;
};

// gemm: c [m, n] = a [m, k] * b [k, n], added to c when add is set. It uses all threads.
void gemm(int64_t m, int64_t n, int64_t k, Matrix<float> a, Matrix<float> b, float* c, int64_t stride, bool add);
void gemm(int64_t m, int64_t n, int64_t k, Matrix<Bf16> a, Matrix<Bf16> b, float* c, int64_t stride, bool add);

}  // namespace remuda

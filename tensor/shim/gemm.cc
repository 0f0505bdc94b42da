// Where libtorch links oneDNN dynamically, as Debian's does, its products are
// taken: they are compiled for the processor at hand, and multiply bfloat16
// into float32. Elsewhere libtorch's own do the same.
#include "gemm.h"

#include <dlfcn.h>

namespace remuda {

namespace {

template <class T>
using Gemm = int (*)(char, char, int64_t, int64_t, int64_t, float, const T*, int64_t, const T*, int64_t, float, float*, int64_t);

struct Found {
  Gemm<float> f32 = nullptr;
  Gemm<Bf16> bf16 = nullptr;
};

thread_local Found found;

template <class T>
Tensor view(Matrix<T> m, int64_t rows, int64_t columns, at::ScalarType type) {
  if (m.transposed) std::swap(rows, columns);
  const Tensor t = at::from_blob(const_cast<T*>(m.data), {rows, columns}, {m.stride, 1}, type);
  return m.transposed ? t.t() : t;
}

template <class T>
void product(Gemm<T> own, at::ScalarType type, int64_t m, int64_t n, int64_t k, Matrix<T> a, Matrix<T> b, float* c, int64_t stride, bool add) {
  if (m == 0 || n == 0) return;
  const auto letter = [](const Matrix<T>& x) { return x.transposed ? 'T' : 'N'; };
  constexpr int success = 0;
  if (own != nullptr && k > 0 &&
      own(letter(a), letter(b), m, n, k, 1.f, a.data, a.stride, b.data, b.stride, add ? 1.f : 0.f, c, stride) == success)
    return;
  Tensor out = at::from_blob(c, {m, n}, {stride, 1}, at::kFloat);
  const Tensor result = view(a, m, k, type).mm(view(b, k, n, type));
  if (add) {
    out.add_(result);
  } else {
    out.copy_(result);
  }
}

}  // namespace

void find_gemm() {
  void* library = dlopen("libdnnl.so.2", RTLD_NOW | RTLD_NOLOAD);
  if (library == nullptr) return;
  found.f32 = reinterpret_cast<Gemm<float>>(dlsym(library, "dnnl_sgemm"));
  found.bf16 = reinterpret_cast<Gemm<Bf16>>(dlsym(library, "dnnl_gemm_bf16bf16f32"));
}

bool multiplies_fast(at::ScalarType type) { return type == at::kFloat ? found.f32 != nullptr : true; }

void gemm(int64_t m, int64_t n, int64_t k, Matrix<float> a, Matrix<float> b, float* c, int64_t stride, bool add) {
  product(found.f32, at::kFloat, m, n, k, a, b, c, stride, add);
}

void gemm(int64_t m, int64_t n, int64_t k, Matrix<Bf16> a, Matrix<Bf16> b, float* c, int64_t stride, bool add) {
  product(found.bf16, at::kBFloat16, m, n, k, a, b, c, stride, add);
}

}  // namespace remuda

// In-place updates of all parameters in one call.
#include <ATen/Parallel.h>
#include <c10/core/GradMode.h>

#include <cmath>

#include "kernels.h"
#include "shim.h"

namespace remuda {

namespace {

constexpr int64_t kGrain = 1 << 15;

// alike tells whether tensors are float32 in the same dense memory order, so that
// they can be walked as plain arrays.
bool alike(const Tensor& a, const Tensor& b) {
  return a.is_cpu() && b.is_cpu() && a.scalar_type() == at::kFloat && b.scalar_type() == at::kFloat && a.sizes() == b.sizes() &&
         a.strides() == b.strides() && a.is_non_overlapping_and_dense();
}

}  // namespace

// in: parameters, then momenta. floats: learning rate, momentum, weight decay.
REMUDA_OP(sgd) {
  c10::AutoGradMode off(false);
  const double lr = a.number(0), momentum = a.number(1), decay = a.number(2);
  const int64_t n = a.inputs() / 2;
  for (int64_t i = 0; i < n; ++i) {
    Tensor p = a.in(i).detach(), m = a.in(n + i);
    const Tensor g = a.in(i).grad();
    if (!g.defined()) continue;
    if (!alike(p, m) || !alike(p, g)) {
      m.mul_(momentum).add_(g).add_(p, decay);
      p.add_(m, -lr);
      continue;
    }
    float *const pd = p.data_ptr<float>(), *const md = m.data_ptr<float>();
    const float* const gd = g.data_ptr<float>();
    at::parallel_for(0, p.numel(), kGrain, [&](int64_t begin, int64_t end) {
      descend(pd + begin, md + begin, gd + begin, end - begin, static_cast<float>(lr), static_cast<float>(momentum), static_cast<float>(decay));
    });
  }
}

// in: parameters. floats: the largest norm of all their gradients together. out: the norm as it was.
REMUDA_OP(clip_gradients) {
  c10::AutoGradMode off(false);
  double squares = 0;
  for (int64_t i = 0; i < a.inputs(); ++i) {
    const Tensor g = a.in(i).grad();
    if (g.defined()) squares += std::pow(g.norm().item<double>(), 2);
  }
  const double norm = std::sqrt(squares), factor = a.number(0) / (norm + 1e-6);
  for (int64_t i = 0; factor < 1 && i < a.inputs(); ++i) {
    Tensor g = a.in(i).grad();
    if (g.defined()) g.mul_(factor);
  }
  a.out(at::scalar_tensor(norm, at::kFloat));
}

// in: destinations, then sources. floats: weight.
REMUDA_OP(lerp) {
  c10::AutoGradMode off(false);
  const int64_t n = a.inputs() / 2;
  const double weight = a.number(0);
  for (int64_t i = 0; i < n; ++i) {
    Tensor d = a.in(i).detach();
    const Tensor s = a.in(n + i).detach();
    if (!alike(d, s)) {
      d.lerp_(s, weight);
      continue;
    }
    float* const dd = d.data_ptr<float>();
    const float* const sd = s.data_ptr<float>();
    at::parallel_for(0, d.numel(), kGrain,
                     [&](int64_t begin, int64_t end) { approach(dd + begin, sd + begin, end - begin, static_cast<float>(weight)); });
  }
}

}  // namespace remuda

// In-place updates of all parameters in one call.
#include <ATen/Parallel.h>
#include <c10/core/GradMode.h>

#include "shim.h"

namespace remuda {

REMUDA_OP(sgd) {
  c10::AutoGradMode off(false);
  const double lr = a.number(0), momentum = a.number(1), decay = a.number(2);
  const int64_t n = a.inputs() / 2;
  for (int64_t i = 0; i < n; ++i) {
    Tensor p = a.in(i).detach(), m = a.in(n + i);
    const Tensor g = a.in(i).grad();
    if (!g.defined()) continue;
    m.mul_(momentum).add_(g).add_(p, decay);
    p.add_(m, -lr);
  }
}

REMUDA_OP(lerp) {
  c10::AutoGradMode off(false);
  const int64_t n = a.inputs() / 2;
  for (int64_t i = 0; i < n; ++i) {
    Tensor d = a.in(i).detach();
    d.lerp_(a.in(n + i).detach(), a.number(0));
  }
}

}  // namespace remuda

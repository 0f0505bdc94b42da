// Operations that are libtorch's own, and the losses.
#include <c10/core/GradMode.h>

#include "shim.h"

namespace remuda {

Tensor activate(Tensor t, Act act) {
  const bool in_place = !(c10::GradMode::is_enabled() && t.requires_grad());
  switch (act) {
    case Act::none: return t;
    case Act::relu: return in_place ? t.relu_() : t.relu();
    case Act::hard_swish: return in_place ? at::hardswish_(t) : at::hardswish(t);
    case Act::hard_sigmoid: return in_place ? at::hardsigmoid_(t) : at::hardsigmoid(t);
    case Act::sigmoid: return in_place ? t.sigmoid_() : t.sigmoid();
  }
  TORCH_CHECK(false, "no activation has number ", static_cast<int64_t>(act));
}

Tensor activate_backward(const Tensor& grad, const Tensor& saved, Act act) {
  switch (act) {
    case Act::none: return grad;
    case Act::relu: return at::threshold_backward(grad, saved, 0);
    case Act::hard_swish: return at::hardswish_backward(grad, saved);
    case Act::hard_sigmoid: return grad * ((saved > 0).logical_and(saved < 1)).to(grad.scalar_type()).div_(6);
    case Act::sigmoid: return at::sigmoid_backward(grad, saved);
  }
  TORCH_CHECK(false, "no activation has number ", static_cast<int64_t>(act));
}

// The user's tensor must not change, so it is copied where activate would write.
REMUDA_OP(activate) {
  const auto act = static_cast<Act>(a.integer(0));
  const bool records = c10::GradMode::is_enabled() && a.in(0).requires_grad();
  a.out(activate(records ? a.in(0) : a.in(0).clone(), act));
}

REMUDA_OP(max_pool2d) {
  const int64_t k = a.integer(0), s = a.integer(1), p = a.integer(2);
  if (k == 1 && p == 0) {  // picks every s-th location; no need to remember where from
    a.out(a.in(0).slice(2, 0, INT64_MAX, s).slice(3, 0, INT64_MAX, s).contiguous(at::MemoryFormat::ChannelsLast));
    return;
  }
  a.out(at::max_pool2d(a.in(0), {k, k}, {s, s}, {p, p}));
}

REMUDA_OP(upsample_nearest) { a.out(at::upsample_nearest2d(a.in(0), {a.integer(0), a.integer(1)})); }
REMUDA_OP(mean_hw) { a.out(a.in(0).mean({2, 3}, /*keepdim=*/true)); }
REMUDA_OP(add) { a.out(a.in(0).add(a.in(1))); }
REMUDA_OP(sub) { a.out(a.in(0).sub(a.in(1))); }
REMUDA_OP(mul) { a.out(a.in(0).mul(a.in(1))); }
REMUDA_OP(scale) { a.out(a.in(0).mul(a.number(0))); }
REMUDA_OP(add_scalar) { a.out(a.in(0).add(a.number(0))); }
REMUDA_OP(reshape) { a.out(a.in(0).reshape(a.integers())); }
REMUDA_OP(permute) { a.out(a.in(0).permute(a.integers())); }
REMUDA_OP(narrow) { a.out(a.in(0).narrow(a.integer(0), a.integer(1), a.integer(2))); }
REMUDA_OP(softmax) { a.out(a.in(0).softmax(a.integer(0))); }
REMUDA_OP(sum) { a.out(a.in(0).sum()); }
REMUDA_OP(mean) { a.out(a.in(0).mean()); }

static Tensor int64_tensor(at::IntArrayRef values) {
  return at::tensor(values, at::kLong).to(current_device());
}

REMUDA_OP(index_select) { a.out(a.in(0).index_select(a.integer(0), int64_tensor(a.integers(1)))); }

REMUDA_OP(cat) {
  std::vector<Tensor> list;
  for (int64_t i = 0; i < a.inputs(); ++i) list.push_back(a.in(i));
  a.out(at::cat(list, a.integer(0)));
}

REMUDA_OP(bce_with_logits) {
  a.out(at::binary_cross_entropy_with_logits(a.in(0).to(at::kFloat), a.in(1).to(at::kFloat)));
}

REMUDA_OP(cross_entropy) {
  a.out(at::cross_entropy_loss(a.in(0).to(at::kFloat), int64_tensor(a.integers())));
}

REMUDA_OP(smooth_l1) {
  a.out(at::smooth_l1_loss(a.in(0).to(at::kFloat), a.in(1).to(at::kFloat), at::Reduction::Sum, a.number(0)));
}

}  // namespace remuda

// Convolution and linear layers with bias, residual and activation as one
// autograd node, and weights folded with a scale and a type.
#include <ATen/Parallel.h>

#include "conv.h"
#include "kernels.h"
#include "node.h"

namespace remuda {

namespace {

Tensor same_type(const Tensor& t, const Tensor& as) { return t.defined() ? t.to(as.scalar_type()) : t; }

// linear_part is the convolution with its bias; it owns its result.
Tensor linear_part(const Tensor& x, const Tensor& w, const Tensor& b, const ConvShape& s) {
  return at::convolution(x, w, b, {s.stride, s.stride}, {s.pad, s.pad}, {1, 1}, false, {0, 0}, s.groups);
}

// finish makes y max(y + residual, 0) in one pass, where both lie alike.
bool finish(const Tensor& y, const Tensor& residual) {
  if (!y.is_cpu() || y.sizes() != residual.sizes() || y.strides() != residual.strides() || !y.is_non_overlapping_and_dense()) return false;
  const auto run = [&](auto* out, const auto* in) {
    at::parallel_for(0, y.numel(), 1 << 16, [&](int64_t begin, int64_t end) { add_relu(out + begin, in + begin, end - begin); });
  };
  if (y.scalar_type() == at::kFloat) {
    run(static_cast<float*>(y.data_ptr()), static_cast<const float*>(residual.data_ptr()));
  } else if (y.scalar_type() == at::kBFloat16) {
    run(static_cast<Bf16*>(y.data_ptr()), static_cast<const Bf16*>(residual.data_ptr()));
  } else {
    return false;
  }
  return true;
}

struct ConvNode : Node {
  ConvShape shape;
  SavedVariable x, w, activation;  // activation: what activate_backward wants

  variable_list apply(variable_list&& in) override {
    c10::AutoGradMode off(false);
    const bool need_x = task_should_compute_output(0), need_w = task_should_compute_output(1), need_b = task_should_compute_output(2);
    const Tensor saved = shape.act == Act::none ? Tensor() : activation.unpack();
    const Tensor g = activate_backward(channels_last(in[0]), saved, shape.act);
    Tensor input = x.unpack();
    x.reset_data();
    const ConvGrads grads = conv_backward(g, std::move(input), w.unpack(), shape, {need_x, need_w, need_b});
    return {grads.x, grads.w, grads.b, task_should_compute_output(3) ? g : Tensor()};
  }

  void release_variables() override {
    x.reset_data();
    w.reset_data();
    activation.reset_data();
  }
};

// convolve is act(conv(x, w) + b + residual).
Tensor convolve(const Tensor& x, const Tensor& w, const Tensor& b, const Tensor& residual, const ConvShape& s) {
  const std::vector<Tensor> inputs{x, w, b, residual};
  const bool record = records(inputs);
  c10::AutoGradMode off(false);
  Tensor y = linear_part(x, w, b, s);
  ConvShape rest = s;  // what is still to be done
  if (residual.defined() && s.act == Act::relu && finish(y, residual)) {
    rest.act = Act::none;
  } else if (residual.defined()) {
    y.add_(residual);
  }
  if (!record) return activate(y, rest.act);
  auto node = new_node<ConvNode>(inputs);
  node->shape = s;
  node->x = save(x);
  node->w = save(w);
  const bool keeps_input = s.act == Act::hard_swish;
  if (keeps_input) node->activation = save(y);
  const Tensor out = keeps_input ? at::hardswish(y) : activate(y, rest.act);
  if (s.act != Act::none && !keeps_input) node->activation = save(out);
  attach(node, out);
  return out;
}

template <class To, class From>
void scale_rows(const Tensor& out, const Tensor& in, const float* scale) {
  const int64_t rows = in.size(0), n = in.numel() / rows;
  at::parallel_for(0, rows, std::max<int64_t>(1, (1 << 15) / n), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r)
      scaled(static_cast<To*>(out.data_ptr()) + r * n, static_cast<const From*>(in.data_ptr()) + r * n, n, scale == nullptr ? 1.f : scale[r]);
  });
}

// fold_rows is fold without history: one pass where there is a kernel for the types.
Tensor fold_rows(const Tensor& w, const Tensor& scale, at::ScalarType type) {
  const Tensor in = w.dim() == 4 ? channels_last(w) : w.contiguous();
  const auto from = in.scalar_type();
  if (!scale.defined() && from == type) return in;
  const Tensor factors = scale.defined() ? scale.to(at::kFloat).contiguous() : scale;
  const Tensor out = at::empty_like(in, in.options().dtype(type));
  const float* const factor = in.is_cpu() && scale.defined() ? factors.data_ptr<float>() : nullptr;
  if (in.is_cpu() && in.numel() > 0 && from == at::kFloat && type == at::kFloat) {
    scale_rows<float, float>(out, in, factor);
  } else if (in.is_cpu() && in.numel() > 0 && from == at::kFloat && type == at::kBFloat16) {
    scale_rows<Bf16, float>(out, in, factor);
  } else if (in.is_cpu() && in.numel() > 0 && from == at::kBFloat16 && type == at::kFloat) {
    scale_rows<float, Bf16>(out, in, factor);
  } else {
    std::vector<int64_t> shape(w.dim(), 1);
    shape[0] = w.size(0);
    out.copy_(scale.defined() ? in.to(at::kFloat).mul(factors.reshape(shape)) : in);
  }
  return out;
}

struct FoldNode : Node {
  Tensor scale;

  variable_list apply(variable_list&& in) override {
    c10::AutoGradMode off(false);
    return {fold_rows(in[0], scale, at::kFloat)};
  }
};

}  // namespace

ConvGrads conv_backward(const Tensor& g, Tensor x, const Tensor& w, const ConvShape& s, ConvNeeds needs) {
  if (!needs.x && !needs.w && !needs.b) return {};
  if (auto grads = sparse_conv_backward(g, x, w, s, needs)) return *grads;
  ConvGrads out;
  if (needs.w) {
    out.w = conv_weight_gradient(g, x, w, s);
    needs.w = !out.w.defined();
  }
  if (needs.b) {
    out.b = sum_rows(g, w.size(0)).to(w.scalar_type());
    needs.b = false;
  }
  const int64_t kernel = w.size(2);
  if (needs.x && g.is_cpu() && kernel > 1 && s.stride == 1 && s.groups == 1 && kernel == w.size(3) && kernel == 2 * s.pad + 1) {
    // The same sum as a convolution of g with the turned weight: oneDNN's forward is up to 1.6 times as fast as its backward.
    if (!needs.w) x.reset();
    const Tensor turned = channels_last(w.flip({2, 3}).transpose(0, 1));
    out.x = at::convolution(g, turned, {}, {1, 1}, {s.pad, s.pad}, {1, 1}, false, {0, 0}, 1);
    needs.x = false;
  }
  if (!needs.x && !needs.w) return out;
  const auto grads = at::convolution_backward(g, x, w, at::IntArrayRef{w.size(0)}, {s.stride, s.stride}, {s.pad, s.pad}, {1, 1}, false, {0, 0},
                                              s.groups, {needs.x, needs.w, false});
  if (needs.x) out.x = std::get<0>(grads);
  if (needs.w) out.w = std::get<1>(grads);
  return out;
}

Tensor fold(const Tensor& w, const Tensor& scale, at::ScalarType type) {
  const bool record = records({w});
  c10::AutoGradMode off(false);
  const Tensor out = fold_rows(w, scale, type);
  if (!record) return out;
  auto node = new_node<FoldNode>(std::vector<Tensor>{w});
  node->scale = scale;
  const Tensor own = out.is_same(w) ? out.alias() : out;
  attach(node, own);
  return own;
}

REMUDA_OP(fold) { a.out(fold(a.in(0), a.in(1), dtype_of(a.integer(0)))); }

REMUDA_OP(conv2d) {
  const ConvShape s{a.integer(0), a.integer(1), a.integer(2), static_cast<Act>(a.integer(3))};
  const Tensor x = channels_last(a.in(0)), w = channels_last(same_type(a.in(1), x)), b = same_type(a.in(2), x);
  const Tensor residual = same_type(a.in(3), x);
  TORCH_CHECK(w.dim() == 4, "a weight of ", w.dim(), " dimensions");
  a.out(convolve(x, w, b, residual, s));
}

}  // namespace remuda

// Convolution and linear layers with bias, residual and activation as one
// autograd node, and weights folded with a scale and a type.
#include <ATen/Parallel.h>

#include "node.h"

namespace remuda {

namespace {

struct ConvShape {
  int64_t stride, pad, groups;
  Act act;
};

Tensor channels_last(const Tensor& t) { return t.contiguous(at::MemoryFormat::ChannelsLast); }

Tensor same_type(const Tensor& t, const Tensor& as) { return t.defined() ? t.to(as.scalar_type()) : t; }

// linear_part is the convolution with its bias; it owns its result.
Tensor linear_part(const Tensor& x, const Tensor& w, const Tensor& b, const ConvShape& s) {
  return at::convolution(x, w, b, {s.stride, s.stride}, {s.pad, s.pad}, {1, 1}, false, {0, 0}, s.groups);
}

struct ConvNode : Node {
  ConvShape shape;
  int64_t bias_size = 0;
  SavedVariable x, w, activation;  // activation: what activate_backward wants

  variable_list apply(variable_list&& in) override {
    c10::AutoGradMode off(false);
    const bool need_x = task_should_compute_output(0), need_w = task_should_compute_output(1), need_b = task_should_compute_output(2);
    const Tensor saved = shape.act == Act::none ? Tensor() : activation.unpack();
    const Tensor g = activate_backward(channels_last(in[0]), saved, shape.act);
    variable_list out(4);
    if (need_x || need_w || need_b) {
      std::tie(out[0], out[1], out[2]) = at::convolution_backward(
          g, x.unpack(), w.unpack(), at::IntArrayRef{bias_size}, {shape.stride, shape.stride}, {shape.pad, shape.pad}, {1, 1}, false,
          {0, 0}, shape.groups, {need_x, need_w, need_b});
    }
    if (task_should_compute_output(3)) out[3] = g;
    return out;
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
  if (residual.defined()) y.add_(residual);
  if (!record) return activate(y, s.act);
  auto node = new_node<ConvNode>(inputs);
  node->shape = s;
  node->bias_size = w.size(0);
  node->x = save(x);
  node->w = save(w);
  const bool keeps_input = s.act == Act::hard_swish;
  if (keeps_input) node->activation = save(y);
  const Tensor out = keeps_input ? at::hardswish(y) : activate(y, s.act);
  if (s.act != Act::none && !keeps_input) node->activation = save(out);
  attach(node, out);
  return out;
}

struct LinearNode : Node {
  SavedVariable x, w, y;
  bool relu = false;

  variable_list apply(variable_list&& in) override {
    c10::AutoGradMode off(false);
    const Tensor g = relu ? at::threshold_backward(in[0], y.unpack(), 0) : in[0];
    variable_list out(3);
    if (task_should_compute_output(0)) out[0] = g.matmul(w.unpack());
    if (task_should_compute_output(1)) out[1] = g.t().matmul(x.unpack());
    if (task_should_compute_output(2)) out[2] = g.sum(0);
    return out;
  }

  void release_variables() override {
    x.reset_data();
    w.reset_data();
    y.reset_data();
  }
};

Tensor linear(const Tensor& x, const Tensor& w, const Tensor& b, bool relu) {
  const std::vector<Tensor> inputs{x, w, b};
  const bool record = records(inputs);
  c10::AutoGradMode off(false);
  Tensor y = at::linear(x, w, b);
  if (relu) y.relu_();
  if (!record) return y;
  auto node = new_node<LinearNode>(inputs);
  node->relu = relu;
  node->x = save(x);
  node->w = save(w);
  if (relu) node->y = save(y);
  attach(node, y);
  return y;
}

Tensor fold_rows(const Tensor& w, const Tensor& scale, at::ScalarType type) {
  Tensor out = w;
  if (scale.defined()) {
    std::vector<int64_t> shape(w.dim(), 1);
    shape[0] = w.size(0);
    out = out.to(at::kFloat).mul(scale.reshape(shape));
  }
  out = out.to(type);
  return out.dim() == 4 ? channels_last(out) : out;
}

struct FoldNode : Node {
  Tensor scale;

  variable_list apply(variable_list&& in) override {
    c10::AutoGradMode off(false);
    return {fold_rows(in[0], scale, at::kFloat)};
  }
};

}  // namespace

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

REMUDA_OP(linear) {
  const bool relu = a.integer(0) != 0;
  const Tensor x = a.in(0), w = same_type(a.in(1), x), b = same_type(a.in(2), x);
  a.out(linear(x, w, b, relu));
}

}  // namespace remuda

// Fully connected layers with bias and ReLU as one autograd node. The weight
// may be a float32 master of other activations: it is cast here, and its
// gradient comes in float32 without passing through the cast.
#include <ATen/Parallel.h>

#include <limits>

#include "conv.h"
#include "gemm.h"
#include "node.h"

namespace remuda {

Tensor sum_rows(const Tensor& g, int64_t n) {
  const int64_t rows = n == 0 ? 0 : g.numel() / n, parts = at::get_num_threads();
  const auto type = g.scalar_type();
  if (!g.is_cpu() || (type != at::kFloat && type != at::kBFloat16)) {
    return (g.dim() == 4 ? g.permute({0, 2, 3, 1}) : g).reshape({rows, n}).sum(0, false, at::kFloat);
  }
  const Tensor sums = at::zeros({parts, n}, at::kFloat);
  at::parallel_for(0, parts, 1, [&](int64_t begin, int64_t end) {
    for (int64_t part = begin; part < end; ++part) {
      const int64_t first = rows * part / parts, last = rows * (part + 1) / parts;
      float* to = sums.data_ptr<float>() + part * n;
      if (type == at::kFloat) {
        add_rows(to, static_cast<const float*>(g.data_ptr()) + first * n, last - first, n);
      } else {
        add_rows(to, static_cast<const Bf16*>(g.data_ptr()) + first * n, last - first, n);
      }
    }
  });
  return sums.sum(0);
}

namespace {

template <class T>
Matrix<T> matrix(const Tensor& t, bool transposed = false) {
  return {static_cast<const T*>(t.data_ptr()), t.size(1), transposed};
}

bool has_kernels(const Tensor& x) { return x.is_cpu() && (x.scalar_type() == at::kFloat || x.scalar_type() == at::kBFloat16); }

template <class T>
Tensor product_biased(const Tensor& x, const Tensor& w, const Tensor& bias, bool relu) {
  const int64_t rows = x.size(0), inputs = x.size(1), outputs = w.size(0);
  const Tensor y = at::empty({rows, outputs}, x.options());
  const Tensor sums = x.scalar_type() == at::kFloat ? y : at::empty({rows, outputs}, x.options().dtype(at::kFloat));
  gemm(rows, outputs, inputs, matrix<T>(x), matrix<T>(w, true), sums.data_ptr<float>(), outputs, false);
  const float floor = relu ? 0.f : -std::numeric_limits<float>::infinity();
  at::parallel_for(0, rows, 16, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r)
      biased(static_cast<T*>(y.data_ptr()) + r * outputs, sums.data_ptr<float>() + r * outputs, bias.data_ptr<float>(), outputs, floor);
  });
  return y;
}

// forward takes x, w of one type.
Tensor forward(const Tensor& x, const Tensor& w, const Tensor& b, bool relu) {
  if (!has_kernels(x)) {
    const Tensor y = at::linear(x, w, b.defined() ? b.to(x.scalar_type()) : b);
    return relu ? y.relu() : y;
  }
  const Tensor bias = b.defined() ? b.to(at::kFloat).contiguous() : at::zeros({w.size(0)}, at::kFloat);
  return x.scalar_type() == at::kFloat ? product_biased<float>(x, w, bias, relu) : product_biased<Bf16>(x, w, bias, relu);
}

// weight_gradient is gᵀ·x in float32.
Tensor weight_gradient(const Tensor& g, const Tensor& x) {
  if (!has_kernels(x)) return g.t().mm(x).to(at::kFloat);
  const Tensor out = at::empty({g.size(1), x.size(1)}, g.options().dtype(at::kFloat));
  if (g.scalar_type() == at::kFloat) {
    gemm(g.size(1), x.size(1), x.size(0), matrix<float>(g, true), matrix<float>(x), out.data_ptr<float>(), x.size(1), false);
  } else {
    gemm(g.size(1), x.size(1), x.size(0), matrix<Bf16>(g, true), matrix<Bf16>(x), out.data_ptr<float>(), x.size(1), false);
  }
  return out;
}

// input_gradient is g·w in g's type; bfloat16 is written at once, without a float32 matrix between.
Tensor input_gradient(const Tensor& g, const Tensor& w) {
  if (!has_kernels(g) || g.scalar_type() != at::kFloat) return g.mm(w);
  const Tensor out = at::empty({g.size(0), w.size(1)}, g.options());
  gemm(g.size(0), w.size(1), w.size(0), matrix<float>(g), matrix<float>(w), out.data_ptr<float>(), w.size(1), false);
  return out;
}

struct LinearNode : Node {
  SavedVariable x, w, y;  // w in x's type
  bool relu = false;
  at::ScalarType w_type = at::kFloat, b_type = at::kFloat;

  variable_list apply(variable_list&& in) override {
    c10::AutoGradMode off(false);
    const Tensor g = (relu ? at::threshold_backward(in[0], y.unpack(), 0) : in[0]).contiguous();
    variable_list out(3);
    if (task_should_compute_output(0)) out[0] = input_gradient(g, w.unpack());
    if (task_should_compute_output(1)) out[1] = weight_gradient(g, x.unpack()).to(w_type);
    if (task_should_compute_output(2)) out[2] = sum_rows(g, g.size(1)).to(b_type);
    return out;
  }

  void release_variables() override {
    x.reset_data();
    w.reset_data();
    y.reset_data();
  }
};

}  // namespace

// in: x, w, b. ints: 1 for ReLU.
REMUDA_OP(linear) {
  const std::vector<Tensor> inputs{a.in(0), a.in(1), a.in(2)};
  TORCH_CHECK(inputs[0].dim() == 2 && inputs[1].dim() == 2 && inputs[0].size(1) == inputs[1].size(1), "input ", inputs[0].sizes(),
              " does not fit weight ", inputs[1].sizes());
  const bool record = records(inputs), relu = a.integer(0) != 0;
  c10::AutoGradMode off(false);
  const Tensor x = inputs[0].contiguous(), w = inputs[1].to(x.scalar_type()).contiguous();
  const Tensor y = forward(x, w, inputs[2], relu);
  if (record) {
    auto node = new_node<LinearNode>(inputs);
    node->relu = relu;
    node->w_type = inputs[1].scalar_type();
    if (inputs[2].defined()) node->b_type = inputs[2].scalar_type();
    node->x = save(x);
    node->w = save(w);
    if (relu) node->y = save(y);
    attach(node, y);
  }
  a.out(y);
}

}  // namespace remuda

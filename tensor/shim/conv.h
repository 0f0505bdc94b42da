// How a convolution's gradients are computed.
#pragma once

#include <optional>

#include "shim.h"

namespace remuda {

struct ConvShape {
  int64_t stride, pad, groups;
  Act act;
};

// ConvGrads are the gradients of input, weight and bias; undefined where not asked for.
struct ConvGrads {
  Tensor x, w, b;
};

struct ConvNeeds {
  bool x, w, b;
};

inline Tensor channels_last(const Tensor& t) { return t.contiguous(at::MemoryFormat::ChannelsLast); }

// conv_backward takes the gradient g of conv(x, w) + b. It lets go of x before it
// makes x's gradient where it can: the two are the largest tensors of a step.
ConvGrads conv_backward(const Tensor& g, Tensor x, const Tensor& w, const ConvShape& s, ConvNeeds needs);

// sparse_conv_backward is conv_backward of a 3x3 convolution at stride 1 whose
// gradient is zero at many locations; nothing when it is not, or not worth it,
// and then x is as it was.
std::optional<ConvGrads> sparse_conv_backward(const Tensor& g, Tensor& x, const Tensor& w, const ConvShape& s, ConvNeeds needs);

// sum_rows is the sum over everything but the last dimension of memory that is
// rows of n elements, in float32: a bias's gradient.
Tensor sum_rows(const Tensor& g, int64_t n);

// conv_weight_gradient is the weight's gradient by matrix products, or undefined
// where there is no fast way to have it so.
Tensor conv_weight_gradient(const Tensor& g, const Tensor& x, const Tensor& w, const ConvShape& s);

}  // namespace remuda

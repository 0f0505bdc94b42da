// The line between Go and libtorch. Every exported function takes one Call and
// returns 0, or 1 with the reason in Call::err. No exception crosses the line.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <string>
#include <vector>

#define REMUDA_EXPORT extern "C" __attribute__((visibility("default")))

namespace remuda {

using at::Tensor;

constexpr int kMaxOut = 2;
constexpr int kMaxDim = 8;

// Out is a new handle, with what Go wants to know of the tensor.
struct Out {
  Tensor* handle;
  int64_t dtype;
  int64_t dims;
  int64_t shape[kMaxDim];
};

// Call carries the arguments of one function. Go lays it out field by field
// (library.go); every field is 8 bytes wide but the text at the end.
struct Call {
  Tensor* const* in;  // null entries are absent tensors
  int64_t n_in;
  const int64_t* ints;
  int64_t n_ints;
  const double* floats;
  int64_t n_floats;
  void* data;
  void* data2;
  char* text;
  int64_t n_text;
  int64_t grad;  // record for autograd
  Out out[kMaxOut];
  char err[1024];
};

// Args is the checked view of a Call that the operations see.
class Args {
 public:
  explicit Args(Call* call) : call_(call) {}

  // in returns input i, an undefined tensor when it is absent.
  Tensor in(int64_t i) const {
    TORCH_CHECK(i < call_->n_in, "input ", i, " is missing");
    return call_->in[i] == nullptr ? Tensor() : *call_->in[i];
  }
  int64_t inputs() const { return call_->n_in; }
  int64_t integer(int64_t i) const {
    TORCH_CHECK(i < call_->n_ints, "integer ", i, " is missing");
    return call_->ints[i];
  }
  at::IntArrayRef integers(int64_t from = 0) const {
    TORCH_CHECK(from <= call_->n_ints, "integers are missing");
    return {call_->ints + from, static_cast<size_t>(call_->n_ints - from)};
  }
  double number(int64_t i) const {
    TORCH_CHECK(i < call_->n_floats, "number ", i, " is missing");
    return call_->floats[i];
  }
  std::vector<double> numbers() const { return {call_->floats, call_->floats + call_->n_floats}; }
  template <class T>
  T* data() const { return static_cast<T*>(call_->data); }
  template <class T>
  T* data2() const { return static_cast<T*>(call_->data2); }
  void text(const std::string& s) const;

  // out hands a tensor to Go; an undefined one becomes nil there.
  void out(Tensor t, int i = 0) const;

 private:
  Call* call_;
};

using Body = void (*)(Args&);

// guarded runs an operation with the call's grad mode and keeps its exceptions.
int32_t guarded(Call* call, Body body) noexcept;

// Threads of the engine set these once; each engine has a thread of its own.
at::Device current_device();
at::ScalarType dtype_of(int64_t number);
int64_t number_of(at::ScalarType type);

// The activations, by Go's numbers.
enum class Act : int64_t { none, relu, hard_swish, hard_sigmoid, sigmoid };

// activate applies an activation, in place when nothing records it.
Tensor activate(Tensor t, Act act);
// activate_backward returns the gradient before the activation. saved is the
// activation's output for relu, hard_sigmoid and sigmoid, its input for hard_swish.
Tensor activate_backward(const Tensor& grad, const Tensor& saved, Act act);

// fold is w with row o times scale[o], in type and channels-last; differentiable.
Tensor fold(const Tensor& w, const Tensor& scale, at::ScalarType type);

}  // namespace remuda

// REMUDA_OP(name) { body } exports remuda_name.
#define REMUDA_OP(name)                                                      \
  static void name##_op(Args& a);                                            \
  REMUDA_EXPORT int32_t remuda_##name(Call* call) noexcept {                 \
    return guarded(call, name##_op);                                         \
  }                                                                          \
  static void name##_op(Args& a)

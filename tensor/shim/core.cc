// Life of the engine and of tensors: threads, devices, handles, copies, grads.
#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <c10/core/GradMode.h>
#include <dlfcn.h>
#include <signal.h>
#include <torch/csrc/api/include/torch/version.h>

#include <atomic>
#include <cstring>

#include "gemm.h"
#include "memory.h"
#include "shim.h"

namespace remuda {

namespace {

std::atomic<int64_t> live{0};
thread_local at::Device device = at::kCPU;

void report(Call* call, const char* what) noexcept {
  std::strncpy(call->err, what, sizeof call->err - 1);
  call->err[sizeof call->err - 1] = 0;
}

void drop(Tensor* t) {
  if (t != nullptr) {
    delete t;
    --live;
  }
}

}  // namespace

int32_t guarded(Call* call, Body body) noexcept {
  try {
    c10::AutoGradMode mode(call->grad != 0);
    Args args(call);
    body(args);
    return 0;
  } catch (const c10::Error& e) {
    report(call, e.what_without_backtrace());
  } catch (const std::exception& e) {
    report(call, e.what());
  } catch (...) {
    report(call, "an unknown C++ exception");
  }
  for (Out& o : call->out) {
    drop(o.handle);
    o.handle = nullptr;
  }
  return 1;
}

at::Device current_device() { return device; }

constexpr at::ScalarType kTypes[] = {at::kFloat, at::kBFloat16, at::kHalf, at::kLong, at::kInt, at::kByte};

at::ScalarType dtype_of(int64_t number) {
  TORCH_CHECK(number >= 0 && number < static_cast<int64_t>(std::size(kTypes)), "no type has number ", number);
  return kTypes[number];
}

int64_t number_of(at::ScalarType type) {
  for (size_t i = 0; i < std::size(kTypes); ++i)
    if (kTypes[i] == type) return static_cast<int64_t>(i);
  TORCH_CHECK(false, "tensors of type ", type, " cannot be handed over");
}

void Args::text(const std::string& s) const {
  if (call_->n_text <= 0) return;
  std::strncpy(call_->text, s.c_str(), call_->n_text - 1);
  call_->text[call_->n_text - 1] = 0;
}

void Args::out(Tensor t, int i) const {
  Out& o = call_->out[i];
  o.handle = nullptr;
  if (!t.defined()) return;
  TORCH_CHECK(t.dim() <= kMaxDim, "tensors of ", t.dim(), " dimensions cannot be handed over");
  o.dtype = number_of(t.scalar_type());
  o.dims = t.dim();
  for (int64_t d = 0; d < t.dim(); ++d) o.shape[d] = t.size(d);
  o.handle = new Tensor(std::move(t));
  ++live;
}

namespace {

std::string capability() {
  const std::string config = at::show_config(), key = "CPU capability usage: ";
  const size_t at = config.find(key);
  if (at == std::string::npos) return "CPU";
  return config.substr(at + key.size(), config.find('\n', at) - at - key.size());
}

// OpenBLAS built on pthreads does not follow libtorch's setting.
void set_openblas_threads(int threads) {
  void* library = dlopen("libopenblas.so.0", RTLD_NOW | RTLD_NOLOAD);
  if (library == nullptr) return;
  if (auto set = reinterpret_cast<void (*)(int)>(dlsym(library, "openblas_set_num_threads"))) set(threads);
}

// start_threads makes OpenMP's threads deaf to signals, which they inherit from
// the one that starts them: Go's handlers would run on their stacks, below
// which oneDNN's generated code keeps values.
void start_threads(int threads) {
  at::set_num_threads(threads);
  set_openblas_threads(threads);
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  at::parallel_for(0, threads, 1, [](int64_t, int64_t) {});
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

}  // namespace

// ints: threads, kind of device (0 cpu, 1 cuda), its index. text: the version.
REMUDA_OP(init) {
  use_arena();
  start_threads(static_cast<int>(a.integer(0)));
  find_gemm();
  const int64_t index = a.integer(2);
  if (a.integer(1) == 1) {
    TORCH_CHECK(at::hasCUDA(), "this libtorch finds no CUDA: it was built without, or there is no GPU or no driver");
    device = at::Device(at::kCUDA, static_cast<c10::DeviceIndex>(index));
    at::zeros({1}, at::device(device));  // fails here, with CUDA's text, when there is no such GPU
  } else {
    device = at::kCPU;
  }
  a.text(std::string("libtorch ") + TORCH_VERSION + (device.is_cuda() ? ", CUDA" : ", " + capability()));
}

// ints: type, channels-last, shape. data: the values.
REMUDA_OP(from_host) {
  const auto type = dtype_of(a.integer(0));
  const auto shape = a.integers(2);
  if (a.integer(1) == 0) {
    a.out(at::from_blob(a.data<void>(), shape, type).clone().to(device));
    return;
  }
  TORCH_CHECK(shape.size() == 4, "channels-last needs four dimensions");
  const auto nhwc = at::from_blob(a.data<void>(), {shape[0], shape[2], shape[3], shape[1]}, type);
  a.out(nhwc.clone().to(device).permute({0, 3, 1, 2}));
}

REMUDA_OP(zeros) { a.out(at::zeros(a.integers(2), at::device(device).dtype(dtype_of(a.integer(0))))); }

REMUDA_OP(to_host) {
  const auto t = a.in(0).detach().to(at::kCPU, dtype_of(a.integer(0))).contiguous();
  if (t.numel() > 0) std::memcpy(a.data<void>(), t.data_ptr(), t.nbytes());
}

REMUDA_OP(item) {
  TORCH_CHECK(a.in(0).numel() == 1, "a tensor of ", a.in(0).numel(), " elements has no single value");
  *a.data<double>() = a.in(0).detach().to(at::kDouble).item<double>();
}

REMUDA_OP(set) {
  auto t = a.in(0).detach();
  t.copy_(at::from_blob(a.data<void>(), t.sizes(), at::kFloat));
}

REMUDA_OP(copy) {
  auto t = a.in(0).detach();
  TORCH_CHECK(t.sizes() == a.in(1).sizes(), "shapes ", t.sizes(), " and ", a.in(1).sizes(), " differ");
  t.copy_(a.in(1).detach());
}

REMUDA_OP(to) { a.out(a.in(0).to(dtype_of(a.integer(0)))); }
REMUDA_OP(channels_last) { a.out(a.in(0).contiguous(at::MemoryFormat::ChannelsLast)); }
REMUDA_OP(detach) { a.out(a.in(0).detach()); }
REMUDA_OP(requires_grad) { a.in(0).set_requires_grad(a.integer(0) != 0); }
REMUDA_OP(needs_grad) { *a.data<int64_t>() = a.in(0).requires_grad(); }
REMUDA_OP(backward) { a.in(0).backward(); }
REMUDA_OP(grad) { a.out(a.in(0).grad()); }
REMUDA_OP(zero_grad) { a.in(0).mutable_grad().reset(); }

}  // namespace remuda

REMUDA_EXPORT void remuda_free(at::Tensor** handles, int64_t n) noexcept {
  for (int64_t i = 0; i < n; ++i) remuda::drop(handles[i]);
}

REMUDA_EXPORT int64_t remuda_live() noexcept { return remuda::live; }

// remuda_source tells which source this library was compiled from.
REMUDA_EXPORT void remuda_source(char* out, int64_t n) noexcept {
  const char hash[] = REMUDA_SOURCE_HASH;
  for (int64_t i = 0; i < n && hash[i] != 0; ++i) out[i] = hash[i];
}

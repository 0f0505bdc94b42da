// A step makes and frees hundreds of buffers of 1 to 200 MB. malloc either maps
// and faults in each of them anew, or mixes them with small long-lived blocks
// and spreads over half as much memory again. Large tensors therefore come from
// a range of addresses of their own, first fit, neighbours joined when freed.
// Pages once used stay: the next step uses them again.
#include "memory.h"

#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <map>
#include <mutex>
#include <type_traits>

#if defined(__GLIBC__)
#include <malloc.h>
#endif

namespace remuda {

namespace {

constexpr size_t kLarge = 1 << 20;  // from this size on
constexpr size_t kAlign = 1 << 14;  // of sizes and addresses

// allocate is const in c10 up to about 2.2; Base is c10::Allocator.
template <class Base, bool is_const = std::is_same_v<decltype(&Base::allocate), c10::DataPtr (Base::*)(size_t) const>>
class Bridge : public Base {
 public:
  c10::DataPtr allocate(size_t n) const override { return take(n); }
  virtual c10::DataPtr take(size_t n) const = 0;
};

template <class Base>
class Bridge<Base, false> : public Base {
 public:
  c10::DataPtr allocate(size_t n) override { return take(n); }
  virtual c10::DataPtr take(size_t n) const = 0;
};

class Arena final : public Bridge<c10::Allocator> {
 public:
  Arena() : usual_(c10::GetDefaultCPUAllocator()) {
    // Twice the machine's memory; only what is touched takes any.
    const size_t size = 2 * static_cast<size_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<size_t>(sysconf(_SC_PAGESIZE)) / kAlign * kAlign;
    void* base = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base == MAP_FAILED) return;  // then every tensor is malloc's
    base_ = static_cast<char*>(base);
    end_ = base_ + size;
    free_[base_] = size;
  }

  c10::DataPtr take(size_t n) const override {
    if (n >= kLarge) {
      if (char* p = claim((n + kAlign - 1) / kAlign * kAlign)) return {p, p, &release, c10::Device(c10::DeviceType::CPU)};
    }
    return usual_->allocate(n);
  }

  c10::DeleterFnPtr raw_deleter() const override { return &release; }

  // An override since 2.1.
  void copy_data(void* to, const void* from, size_t n) const { std::memcpy(to, from, n); }

  static Arena& instance() {
    static Arena* arena = new Arena();  // never destroyed: tensors may outlive main
    return *arena;
  }

 private:
  char* claim(size_t n) const {
    std::lock_guard<std::mutex> lock(mutex_);
    for (auto it = free_.begin(); it != free_.end(); ++it) {
      if (it->second < n) continue;
      char* const p = it->first;
      const size_t rest = it->second - n;
      free_.erase(it);
      if (rest > 0) free_[p + n] = rest;
      used_[p] = n;
      return p;
    }
    return nullptr;
  }

  static void release(void* data) {
    Arena& arena = instance();
    char* const p = static_cast<char*>(data);
    if (p < arena.base_ || p >= arena.end_) {
      arena.usual_->raw_deleter()(data);
      return;
    }
    std::lock_guard<std::mutex> lock(arena.mutex_);
    const auto used = arena.used_.find(p);
    auto it = arena.free_.emplace(p, used->second).first;
    arena.used_.erase(used);
    const auto after = std::next(it);
    if (after != arena.free_.end() && it->first + it->second == after->first) {
      it->second += after->second;
      arena.free_.erase(after);
    }
    if (it != arena.free_.begin()) {
      const auto before = std::prev(it);
      if (before->first + before->second == it->first) {
        before->second += it->second;
        arena.free_.erase(it);
      }
    }
  }

  c10::Allocator* usual_;
  char *base_ = nullptr, *end_ = nullptr;
  mutable std::mutex mutex_;
  mutable std::map<char*, size_t> free_, used_;  // by address
};

}  // namespace

void use_arena() {
#if defined(__GLIBC__)
  // What is left to malloc, oneDNN's scratch memory above all, is kept too.
  mallopt(M_MMAP_THRESHOLD, 1 << 30);
  mallopt(M_TRIM_THRESHOLD, -1);
#endif
  constexpr uint8_t over_the_usual = 100;
  c10::SetCPUAllocator(&Arena::instance(), over_the_usual);
}

}  // namespace remuda

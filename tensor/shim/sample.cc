// RoIAlign and 3x3 patches over a pyramid in channels-last memory, forward and
// backward. Every output row is written by one thread, so that the result does
// not depend on which.
#include "sample.h"

#include <ATen/Parallel.h>

#include <atomic>

#include "kernels.h"
#include "node.h"

namespace remuda {

namespace {

void add_tap(Axis& axis, int bin, int64_t at, float weight) {
  for (int i = 0; i < axis.n[bin]; ++i) {
    if (axis.taps[bin][i].at == at) {
      axis.taps[bin][i].weight += weight;
      return;
    }
  }
  axis.taps[bin][axis.n[bin]++] = {static_cast<int32_t>(at), weight};
}

// read_axis follows torchvision's roi_align with aligned=false, in float32.
void read_axis(Axis& axis, float from, float to, double scale, int64_t size, int64_t ratio, int64_t length) {
  const float start = from * static_cast<float>(scale);
  const float extent = std::max(to * static_cast<float>(scale) - start, 1.f);
  const float bin = extent / static_cast<float>(size), share = 1.f / static_cast<float>(ratio);
  for (int b = 0; b < size; ++b) {
    axis.n[b] = 0;
    for (int64_t i = 0; i < ratio; ++i) {
      float at = start + static_cast<float>(b) * bin + (static_cast<float>(i) + .5f) * bin / static_cast<float>(ratio);
      if (!(at >= -1.f && at <= static_cast<float>(length))) continue;  // outside: 0
      at = std::max(at, 0.f);
      const int64_t low = static_cast<int64_t>(at);
      if (low >= length - 1) {
        add_tap(axis, b, length - 1, share);
        continue;
      }
      const float high = at - static_cast<float>(low);
      add_tap(axis, b, low, (1.f - high) * share);
      add_tap(axis, b, low + 1, high * share);
    }
  }
}

void check_place(const Places& p, int32_t level, int32_t image) {
  TORCH_CHECK(level >= 0 && level < static_cast<int64_t>(p.shapes.size()), "no level ", level);
  TORCH_CHECK(image >= 0 && image < p.shapes[level][0], "no image ", image);
}

}  // namespace

Places read_places(const Args& a, const std::vector<Tensor>& levels) {
  TORCH_CHECK(!levels.empty(), "no levels");
  Places p{a.integer(0), a.integer(1), a.integer(2), a.integer(3), a.numbers(), {}, {}, {}, {}, {}, {}, {}};
  for (const auto& l : levels) {
    TORCH_CHECK(l.dim() == 4 && l.size(1) == levels[0].size(1) && l.scalar_type() == levels[0].scalar_type(),
                "levels must be [N, C, H, W] of one C and type");
    p.shapes.push_back(l.sizes().vec());
  }
  TORCH_CHECK(p.rois == 0 || (p.size >= 1 && p.size <= kMaxBins), "bins a side must be 1 to ", kMaxBins);
  TORCH_CHECK(p.rois == 0 || (p.ratio >= 1 && p.ratio <= kMaxTaps / 2), "sampling points must be 1 to ", kMaxTaps / 2);
  const float* boxes = a.data<float>();
  const int32_t* places = a.data2<int32_t>();
  p.boxes.assign(boxes, boxes + 4 * p.rois);
  p.image.assign(places, places + p.rois);
  p.level.assign(places + p.rois, places + 2 * p.rois);
  const auto* patch = reinterpret_cast<const Patch*>(places + 2 * p.rois);
  p.patch.assign(patch, patch + p.patches);
  p.ys.resize(p.rois);
  p.xs.resize(p.rois);
  for (int64_t k = 0; k < p.rois; ++k) {
    check_place(p, p.level[k], p.image[k]);
    const auto& shape = p.shapes[p.level[k]];
    const double scale = p.scales[p.level[k]];
    read_axis(p.xs[k], p.boxes[4 * k], p.boxes[4 * k + 2], scale, p.size, p.ratio, shape[3]);
    read_axis(p.ys[k], p.boxes[4 * k + 1], p.boxes[4 * k + 3], scale, p.size, p.ratio, shape[2]);
  }
  for (const auto& q : p.patch) {
    check_place(p, q.level, q.image);
    const auto& shape = p.shapes[q.level];
    TORCH_CHECK(q.y >= 0 && q.y < shape[2] && q.x >= 0 && q.x < shape[3], "patch at ", q.y, ", ", q.x, " outside of its level");
  }
  return p;
}

namespace {

// each_thread runs work(i) for i in [0, n), handing out indexes one by one:
// rows and RoIs differ much in cost.
template <class F>
void each_thread(int64_t n, const F& work) {
  std::atomic<int64_t> next{0};
  at::parallel_for(0, at::get_num_threads(), 1, [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t) {
      auto run = work();
      for (int64_t i = next++; i < n; i = next++) run(i);
    }
  });
}

template <class T>
const T* plane(const Tensor& level, int64_t image) {
  return static_cast<const T*>(level.data_ptr()) + image * level.size(1) * level.size(2) * level.size(3);
}

template <class T>
void pool(const std::vector<Tensor>& levels, const Places& p, T* out) {
  const int64_t channels = p.channels(), bins = p.bins();
  each_thread(p.rois, [&] {
    return [&, acc = std::vector<float>(bins * channels)](int64_t k) mutable {
      const T* f = plane<T>(levels[p.level[k]], p.image[k]);
      const int64_t width = p.shapes[p.level[k]][3];
      const T* src[kMaxTaps * kMaxTaps];
      float weight[kMaxTaps * kMaxTaps];
      for (int64_t b = 0; b < bins; ++b) {
        const int64_t by = b / p.size, bx = b % p.size;
        int64_t n = 0;
        for (int i = 0; i < p.ys[k].n[by]; ++i) {
          for (int j = 0; j < p.xs[k].n[bx]; ++j) {
            const Tap &y = p.ys[k].taps[by][i], &x = p.xs[k].taps[bx][j];
            src[n] = f + (y.at * width + x.at) * channels;
            weight[n++] = y.weight * x.weight;
          }
        }
        weighted_sum(acc.data() + b * channels, src, weight, n, channels);
      }
      transpose(out + k * bins * channels, acc.data(), bins, channels);
    };
  });
}

template <class T>
void gather(const std::vector<Tensor>& levels, const Places& p, T* out) {
  const int64_t channels = p.channels();
  const std::vector<T> zeros(channels, T{});
  at::parallel_for(0, p.patches, 16, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const Patch& q = p.patch[i];
      const int64_t height = p.shapes[q.level][2], width = p.shapes[q.level][3];
      const T* f = plane<T>(levels[q.level], q.image);
      for (int64_t k = 0; k < 9; ++k) {
        const int64_t y = q.y + k / 3 - 1, x = q.x + k % 3 - 1;
        const bool inside = y >= 0 && y < height && x >= 0 && x < width;
        const T* src = inside ? f + (y * width + x) * channels : zeros.data();
        for (int64_t c = 0; c < channels; ++c) out[(i * channels + c) * 9 + k] = src[c];
      }
    }
  });
}

// Rows lists, for each row of each image of each level, what was read from it.
struct Rows {
  struct Read {
    int32_t index;  // a RoI, or a patch when bin is negative
    int32_t bin;    // of the RoI along y, or −1 − row of the patch
    float weight;
  };
  std::vector<int64_t> first;  // [levels]: index of its first row
  std::vector<int64_t> begin;  // [rows + 1], into reads
  std::vector<Read> reads;

  int64_t count() const { return static_cast<int64_t>(begin.size()) - 1; }
};

// each_read calls f(row, read) for everything that is read, in a fixed order.
template <class F>
void each_read(const Places& p, const std::vector<int64_t>& first, const F& f) {
  for (int64_t k = 0; k < p.rois; ++k) {
    const int64_t top = first[p.level[k]] + p.image[k] * p.shapes[p.level[k]][2];
    for (int b = 0; b < p.size; ++b)
      for (int i = 0; i < p.ys[k].n[b]; ++i)
        f(top + p.ys[k].taps[b][i].at, Rows::Read{static_cast<int32_t>(k), b, p.ys[k].taps[b][i].weight});
  }
  for (int64_t i = 0; i < p.patches; ++i) {
    const Patch& q = p.patch[i];
    const int64_t height = p.shapes[q.level][2], top = first[q.level] + q.image * height;
    for (int32_t r = 0; r < 3; ++r)
      if (q.y + r - 1 >= 0 && q.y + r - 1 < height) f(top + q.y + r - 1, Rows::Read{static_cast<int32_t>(i), -1 - r, 1.f});
  }
}

Rows rows_of(const Places& p) {
  Rows rows;
  int64_t total = 0;
  for (const auto& s : p.shapes) {
    rows.first.push_back(total);
    total += s[0] * s[2];
  }
  rows.begin.assign(total + 1, 0);
  each_read(p, rows.first, [&](int64_t row, Rows::Read) { ++rows.begin[row + 1]; });
  for (int64_t r = 0; r < total; ++r) rows.begin[r + 1] += rows.begin[r];
  rows.reads.resize(rows.begin[total]);
  auto next = rows.begin;
  each_read(p, rows.first, [&](int64_t row, Rows::Read read) { rows.reads[next[row]++] = read; });
  return rows;
}

// bins_first turns gradients [n, C, bins] into float32 [n, bins, C]; empty when undefined.
template <class T>
std::vector<float> bins_first(const Tensor& grad, int64_t n, int64_t channels, int64_t bins) {
  if (!grad.defined() || n == 0) return {};
  const Tensor dense = grad.contiguous();
  std::vector<float> out(n * channels * bins);
  at::parallel_for(0, n, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      transpose(out.data() + i * channels * bins, static_cast<const T*>(dense.data_ptr()) + i * channels * bins, channels, bins);
  });
  return out;
}

// scatter writes the gradient of every level, each row once, summed in float32.
template <class T>
void scatter(const Places& p, const Tensor& pooled, const Tensor& patches, std::vector<Tensor>& grads) {
  const int64_t channels = p.channels(), bins = p.bins();
  const auto from_bins = bins_first<T>(pooled, p.rois, channels, bins);
  const auto from_patches = bins_first<T>(patches, p.patches, channels, 9);
  const Rows rows = rows_of(p);
  int64_t widest = 0;
  for (const auto& s : p.shapes) widest = std::max(widest, s[3]);
  each_thread(rows.count(), [&] {
    return [&, acc = std::vector<float>(widest * channels)](int64_t row) mutable {
      size_t level = p.shapes.size() - 1;
      while (rows.first[level] > row) --level;
      if (!grads[level].defined()) return;
      const int64_t width = p.shapes[level][3], n = width * channels;
      T* out = static_cast<T*>(grads[level].data_ptr()) + (row - rows.first[level]) * n;
      if (rows.begin[row] == rows.begin[row + 1]) {
        std::memset(static_cast<void*>(out), 0, n * sizeof(T));
        return;
      }
      std::fill_n(acc.begin(), n, 0.f);
      for (int64_t r = rows.begin[row]; r < rows.begin[row + 1]; ++r) {
        const Rows::Read& read = rows.reads[r];
        if (read.bin < 0) {
          if (from_patches.empty()) continue;
          const Patch& q = p.patch[read.index];
          for (int64_t k = 0; k < 3; ++k) {
            const int64_t x = q.x + k - 1;
            if (x < 0 || x >= width) continue;
            axpy(acc.data() + x * channels, from_patches.data() + (read.index * 9 + (-1 - read.bin) * 3 + k) * channels, 1.f, channels);
          }
          continue;
        }
        if (from_bins.empty()) continue;
        const Axis& xs = p.xs[read.index];
        for (int64_t b = 0; b < p.size; ++b) {
          const float* src = from_bins.data() + (read.index * bins + read.bin * p.size + b) * channels;
          for (int i = 0; i < xs.n[b]; ++i) axpy(acc.data() + xs.taps[b][i].at * channels, src, read.weight * xs.taps[b][i].weight, channels);
        }
      }
      convert(out, acc.data(), n);
    };
  });
}

// SampleNode is the backward of a call. What was read is linear in the levels,
// so that none of them is kept.
struct SampleNode : Node {
  Places places;
  at::TensorOptions options;

  variable_list apply(variable_list&& in) override {
    c10::AutoGradMode off(false);
    size_t i = 0;
    const Tensor pooled = places.rois > 0 ? in.at(i++) : Tensor();
    const Tensor patches = places.patches > 0 ? in.at(i++) : Tensor();
    std::vector<Tensor> grads(places.shapes.size());
    for (size_t l = 0; l < grads.size(); ++l)
      if (task_should_compute_output(l)) grads[l] = at::empty(places.shapes[l], options, at::MemoryFormat::ChannelsLast);
    if (options.dtype() == at::kBFloat16) {
      scatter<Bf16>(places, pooled, patches, grads);
    } else {
      scatter<float>(places, pooled, patches, grads);
    }
    return grads;
  }
};

template <class T>
std::vector<Tensor> read(const std::vector<Tensor>& levels, const Places& p) {
  std::vector<Tensor> out;
  if (p.rois > 0) {
    out.push_back(at::empty({p.rois, p.channels() * p.bins()}, levels[0].options()));
    pool(levels, p, static_cast<T*>(out.back().data_ptr()));
  }
  if (p.patches > 0) {
    out.push_back(at::empty({p.patches, p.channels() * 9}, levels[0].options()));
    gather(levels, p, static_cast<T*>(out.back().data_ptr()));
  }
  return out;
}

std::vector<Tensor> sample_kernels(std::vector<Tensor> levels, Places p) {
  const bool record = records(levels);
  const auto inputs = levels;
  for (auto& l : levels) l = l.detach().contiguous(at::MemoryFormat::ChannelsLast);
  auto out = levels[0].scalar_type() == at::kBFloat16 ? read<Bf16>(levels, p) : read<float>(levels, p);
  if (!record) return out;
  auto node = new_node<SampleNode>(inputs);
  node->places = std::move(p);
  node->options = levels[0].options();
  for (auto& t : out) attach(node, t);
  return out;
}

}  // namespace

// in: levels. floats: scales. ints: rois, patches, bins a side, sampling points,
// 1 to use libtorch's own operations. data: boxes. data2: image and level of each
// RoI, then the patches.
REMUDA_OP(sample) {
  std::vector<Tensor> levels;
  for (int64_t i = 0; i < a.inputs(); ++i) levels.push_back(a.in(i));
  Places p = read_places(a, levels);
  const auto type = levels[0].scalar_type();
  const bool ours = levels[0].is_cpu() && (type == at::kFloat || type == at::kBFloat16) && a.integer(4) == 0;
  const int pooled = p.rois > 0;
  const bool patches = p.patches > 0;
  const auto out = ours ? sample_kernels(std::move(levels), std::move(p)) : sample_composite(levels, p);
  if (pooled) a.out(out[0], 0);
  if (patches) a.out(out[pooled], 1);
}

}  // namespace remuda

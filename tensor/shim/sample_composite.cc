// RoIAlign and 3x3 patches in libtorch's own operations: slower, and for every
// device. Autograd derives the backward.
#include "sample.h"

namespace remuda {

namespace {

// Reads lists, for every output location, the rows of the flattened levels it
// is a weighted sum of; n each, unused ones with weight 0.
struct Reads {
  int64_t n;
  std::vector<int64_t> at;
  std::vector<float> weight;

  void add(int64_t where, float w) {
    at.push_back(where);
    weight.push_back(w);
  }
  void fill() {
    while (at.size() % n != 0) add(0, 0.f);
  }
};

// sum reads rows of flat [locations, C]: [outputs, C], in float32.
Tensor sum(const Tensor& flat, const Reads& reads) {
  const auto at = at::tensor(at::ArrayRef<int64_t>(reads.at), at::kLong).to(flat.device());
  const auto weight = at::tensor(at::ArrayRef<float>(reads.weight), at::kFloat).to(flat.device());
  const auto rows = flat.index_select(0, at).mul(weight.unsqueeze(1));
  return rows.view({-1, reads.n, flat.size(1)}).sum(1);
}

// outputs turns [n * bins, C] into [n, C * bins].
Tensor outputs(const Tensor& rows, int64_t bins, at::ScalarType type) {
  return rows.view({-1, bins, rows.size(1)}).transpose(1, 2).reshape({-1, rows.size(1) * bins}).to(type);
}

}  // namespace

std::vector<Tensor> sample_composite(const std::vector<Tensor>& levels, const Places& p) {
  std::vector<Tensor> flat, out;
  std::vector<int64_t> first;  // of each level's locations
  int64_t locations = 0;
  for (const auto& l : levels) {
    first.push_back(locations);
    locations += l.size(0) * l.size(2) * l.size(3);
    flat.push_back(l.permute({0, 2, 3, 1}).reshape({-1, l.size(1)}));
  }
  const auto type = levels[0].scalar_type();
  const Tensor all = at::cat(flat).to(at::kFloat);  // the backward adds up in float32 too
  constexpr int64_t chunk = 128;  // RoIs whose reads are in memory at once
  std::vector<Tensor> pooled;
  for (int64_t begin = 0; begin < p.rois; begin += chunk) {
    Reads reads{4 * p.ratio * p.ratio, {}, {}};
    for (int64_t k = begin; k < std::min(p.rois, begin + chunk); ++k) {
      const auto& s = p.shapes[p.level[k]];
      for (int64_t b = 0; b < p.bins(); ++b) {
        const int64_t by = b / p.size, bx = b % p.size;
        for (int i = 0; i < p.ys[k].n[by]; ++i)
          for (int j = 0; j < p.xs[k].n[bx]; ++j) {
            const Tap &y = p.ys[k].taps[by][i], &x = p.xs[k].taps[bx][j];
            reads.add(first[p.level[k]] + (p.image[k] * s[2] + y.at) * s[3] + x.at, y.weight * x.weight);
          }
        if (p.ys[k].n[by] == 0 || p.xs[k].n[bx] == 0) reads.add(0, 0.f);
        reads.fill();
      }
    }
    pooled.push_back(outputs(sum(all, reads), p.bins(), type));
  }
  if (p.rois > 0) out.push_back(at::cat(pooled));
  if (p.patches == 0) return out;
  Reads reads{1, {}, {}};
  for (const auto& q : p.patch) {
    const auto& s = p.shapes[q.level];
    for (int64_t k = 0; k < 9; ++k) {
      const int64_t y = q.y + k / 3 - 1, x = q.x + k % 3 - 1;
      const bool inside = y >= 0 && y < s[2] && x >= 0 && x < s[3];
      reads.add(inside ? first[q.level] + (q.image * s[2] + y) * s[3] + x : 0, inside ? 1.f : 0.f);
    }
  }
  out.push_back(outputs(sum(all, reads), 9, type));
  return out;
}

}  // namespace remuda

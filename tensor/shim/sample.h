// Where a pyramid is read: RoIAlign's bins and 3x3 patches.
#pragma once

#include "shim.h"

namespace remuda {

constexpr int kMaxBins = 16;  // a side
constexpr int kMaxTaps = 8;   // locations that one bin reads along one axis

// Tap is one location along an axis and its weight.
struct Tap {
  int32_t at;
  float weight;
};

// Axis has for each bin of a RoI the taps along one axis. Bilinear sampling is
// a product of both axes, so that a bin is the sum over y taps and x taps.
struct Axis {
  int32_t n[kMaxBins];
  Tap taps[kMaxBins][kMaxTaps];
};

struct Patch {
  int32_t level, image, y, x;
};

// Places is everything that one call reads, and the shapes it reads from.
struct Places {
  int64_t rois, patches, size, ratio;
  std::vector<double> scales;
  std::vector<float> boxes;            // [rois, 4]
  std::vector<int32_t> image, level;   // [rois]
  std::vector<Patch> patch;
  std::vector<std::vector<int64_t>> shapes;  // [levels]: N, C, H, W
  std::vector<Axis> ys, xs;            // [rois]

  int64_t bins() const { return size * size; }
  int64_t channels() const { return shapes[0][1]; }
};

Places read_places(const Args& a, const std::vector<Tensor>& levels);

// sample_composite is the same in libtorch's own operations, for other devices.
std::vector<Tensor> sample_composite(const std::vector<Tensor>& levels, const Places& p);

}  // namespace remuda

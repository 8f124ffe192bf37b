// Sizes of batch norm, bias, pooling and cross-entropy around their boundaries.
#pragma once

#include <vector>

#include "kernels/geometry.h"

namespace crescendo::test {

inline std::vector<BatchNormGeometry> batch_norm_cases() {
  std::vector<BatchNormGeometry> cases;
  for (const bool relu : {false, true}) {
    const auto add = [&](int64_t n, int64_t pixels, int64_t c, int64_t ghost) {
      cases.push_back({.n = n, .pixels = pixels, .c = c, .ghost = ghost, .epsilon = 1e-3, .relu = relu});
    };
    add(1, 1, 1, 1);  // a variance of zero
    add(2, 1, 3, 2);  // features, not images
    add(6, 4, 31, 3);
    add(4, 9, 32, 1);  // a ghost of one image
    add(8, 25, 33, 4);
    add(3, 1024, 16, 3);
    add(40, 3, 2, 20);
    add(4, 5, 260, 2);    // more channels than a block of threads takes
    add(4, 8000, 3, 2);   // more pixels than a block of threads
    add(2, 20, 1041, 1);  // more channels than the processor takes at once
  }
  return cases;
}

inline std::vector<BiasGeometry> bias_cases() {
  return {{.n = 1, .pixels = 1, .c = 1, .ghost = 1},
          {.n = 6, .pixels = 5, .c = 33, .ghost = 2},
          {.n = 31, .pixels = 1, .c = 10, .ghost = 31},
          {.n = 4, .pixels = 64, .c = 32, .ghost = 1}};
}

struct Pool2dCase {
  const char* name;
  Pool2dGeometry geometry;
};

inline std::vector<Pool2dCase> pool2d_cases() {
  const auto pooling = [](int64_t n, int64_t h, int64_t w, int64_t c, int64_t r, int64_t s, int64_t stride_h,
                          int64_t stride_w, int64_t pad_top, int64_t pad_left, int64_t p, int64_t q,
                          bool count) {
    return Pool2dGeometry{n, h, w, c, p, q, r, s, stride_h, stride_w, pad_top, pad_left, count};
  };
  return {{"one pixel", pooling(1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 1, 1, true)},
          {"2x2, stride 2", pooling(2, 6, 8, 31, 2, 2, 2, 2, 0, 0, 3, 4, true)},
          {"2x2, stride 2, with a remainder", pooling(2, 7, 5, 3, 2, 2, 2, 2, 0, 0, 3, 2, true)},
          {"3x3, stride 2, padded, as ResNet's", pooling(2, 8, 8, 32, 3, 3, 2, 2, 1, 1, 4, 4, false)},
          {"3x3, stride 1, padding not counted", pooling(1, 5, 4, 33, 3, 3, 1, 1, 1, 1, 5, 4, false)},
          {"3x3, stride 1, padding counted", pooling(1, 5, 4, 3, 3, 3, 1, 1, 1, 1, 5, 4, true)},
          {"padding at the far side only", pooling(2, 5, 5, 4, 3, 3, 2, 2, 0, 0, 3, 3, false)},
          {"window as large as the image", pooling(3, 7, 6, 5, 7, 6, 7, 6, 0, 0, 1, 1, true)},
          {"1x3 windows", pooling(1, 4, 9, 2, 1, 3, 1, 2, 0, 1, 4, 5, false)},
          {"stride above the window", pooling(1, 9, 9, 2, 2, 2, 4, 3, 0, 0, 2, 3, true)}};
}

inline std::vector<CrossEntropyGeometry> cross_entropy_cases() {
  return {{.n = 1, .classes = 1, .smoothing = 0},
          {.n = 33, .classes = 10, .smoothing = 0},
          {.n = 31, .classes = 10, .smoothing = 0.1},
          {.n = 3, .classes = 1001, .smoothing = 0.1}};
}

// Lengths of pointwise loops: around vectors and around a piece of work.
inline std::vector<int64_t> lengths() { return {0, 1, 7, 16, 31, 32, 33, 4095, 4096, 4097, 10000}; }

}  // namespace crescendo::test

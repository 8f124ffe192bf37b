// Convolutions around every boundary of an implementation;
// shared by kernel tests, gradient tests and benchmarks.
#pragma once

#include <vector>

#include "kernels/geometry.h"

namespace crescendo::test {

struct Conv2dCase {
  const char* name;
  Conv2dGeometry geometry;
};

struct ConvPadding {
  int64_t top, bottom, left, right;
};

inline Conv2dGeometry convolution(int64_t n, int64_t h, int64_t w, int64_t c, int64_t k, int64_t r, int64_t s,
                                  int64_t stride_h, int64_t stride_w, ConvPadding pad, int64_t ghost) {
  return {.n = n,
          .h = h,
          .w = w,
          .c = c,
          .p = (h + pad.top + pad.bottom - r) / stride_h + 1,
          .q = (w + pad.left + pad.right - s) / stride_w + 1,
          .k = k,
          .r = r,
          .s = s,
          .stride_h = stride_h,
          .stride_w = stride_w,
          .pad_top = pad.top,
          .pad_left = pad.left,
          .ghost = ghost};
}

inline std::vector<Conv2dCase> conv2d_cases() {
  const ConvPadding none{0, 0, 0, 0}, one{1, 1, 1, 1};
  const ConvPadding row_of_3{0, 0, 1, 1}, column_of_3{1, 1, 0, 0}, row_of_7{0, 0, 3, 3},
      column_of_7{3, 3, 0, 0};
  return {
      {"1x1 of everything", convolution(1, 1, 1, 1, 1, 1, 1, 1, 1, none, 1)},
      {"one pixel, 3x3", convolution(2, 1, 1, 5, 7, 3, 3, 1, 1, one, 1)},
      {"image smaller than the filter", convolution(3, 2, 3, 3, 4, 5, 5, 1, 1, {2, 2, 2, 2}, 3)},
      {"3 -> 16, as the first layer", convolution(4, 9, 9, 3, 16, 3, 3, 1, 1, one, 2)},
      {"16 -> 16", convolution(2, 8, 8, 16, 16, 3, 3, 1, 1, one, 1)},
      {"31 -> 33 channels", convolution(2, 5, 6, 31, 33, 3, 3, 1, 1, one, 2)},
      {"32 -> 32 channels", convolution(1, 7, 7, 32, 32, 3, 3, 1, 1, one, 1)},
      {"33 -> 31 channels", convolution(2, 4, 7, 33, 31, 3, 3, 1, 1, one, 2)},
      {"1 -> 8", convolution(2, 6, 5, 1, 8, 3, 3, 1, 1, one, 2)},
      {"9 -> 1", convolution(2, 6, 5, 9, 1, 3, 3, 1, 1, one, 2)},
      {"1x1", convolution(4, 5, 3, 17, 24, 1, 1, 1, 1, none, 2)},
      {"1x1, stride 2", convolution(2, 7, 8, 16, 20, 1, 1, 2, 2, none, 2)},
      {"1x1, padded", convolution(2, 3, 3, 4, 6, 1, 1, 1, 1, one, 2)},
      {"stride 2, even image", convolution(2, 8, 8, 16, 24, 3, 3, 2, 2, one, 2)},
      {"stride 2, odd image", convolution(2, 9, 7, 5, 6, 3, 3, 2, 2, one, 1)},
      {"stride 2 with a remainder", convolution(2, 8, 6, 4, 5, 3, 3, 2, 2, none, 2)},
      {"stride above the filter", convolution(2, 10, 11, 3, 5, 2, 2, 4, 3, none, 2)},
      {"strides 3 and 1", convolution(1, 11, 5, 6, 7, 3, 3, 3, 1, one, 1)},
      {"1x7", convolution(2, 4, 9, 8, 10, 1, 7, 1, 1, row_of_7, 2)},
      {"7x1", convolution(2, 9, 4, 8, 10, 7, 1, 1, 1, column_of_7, 1)},
      {"7x7, stride 2, as ResNet's first", convolution(1, 15, 15, 3, 8, 7, 7, 2, 2, {3, 3, 3, 3}, 1)},
      {"asymmetric padding", convolution(2, 6, 5, 4, 6, 3, 3, 1, 1, {0, 2, 1, 0}, 2)},
      {"asymmetric padding, stride 2", convolution(2, 8, 8, 4, 6, 3, 3, 2, 2, {0, 1, 0, 1}, 2)},
      {"more padding than filter", convolution(1, 3, 3, 2, 3, 2, 2, 1, 1, {3, 3, 3, 3}, 1)},
      {"rows longer than a block", convolution(1, 3, 260, 2, 3, 3, 3, 1, 1, one, 1)},
      {"long rows of whole vectors", convolution(1, 2, 70, 32, 16, 3, 3, 1, 1, one, 1)},
      {"more taps than stretches", convolution(1, 2, 3, 260, 2, 9, 8, 1, 1, {4, 4, 4, 4}, 1)},
      {"1x1, pixels more than 2 KiB apart", convolution(3, 4, 7, 1040, 33, 1, 1, 1, 1, none, 1)},
      {"1x1, pixels 4 KiB apart", convolution(2, 4, 7, 1024, 9, 1, 1, 1, 1, none, 2)},
      {"1x1 of whole vectors", convolution(2, 9, 9, 32, 16, 1, 1, 1, 1, none, 1)},
      {"stride 2 of whole vectors", convolution(2, 9, 8, 64, 48, 3, 3, 2, 2, one, 1)},
      {"more images than chunks", convolution(80, 6, 6, 2, 3, 3, 3, 1, 1, one, 40)},
      {"one tile", convolution(2, 4, 4, 32, 32, 3, 3, 1, 1, one, 2)},
      {"tiles with a remainder", convolution(3, 9, 6, 34, 47, 3, 3, 1, 1, one, 3)},
      {"more tiles than a block", convolution(2, 25, 21, 16, 17, 3, 3, 1, 1, one, 1)},
      {"wide, 3x3", convolution(2, 6, 6, 130, 66, 3, 3, 1, 1, one, 2)},
      {"3x3 without padding", convolution(2, 9, 10, 20, 18, 3, 3, 1, 1, none, 2)},
      {"more weights than the cache holds", convolution(1, 5, 5, 350, 345, 3, 3, 1, 1, one, 1)},
      {"more tiles than a chunk", convolution(1, 93, 92, 2, 3, 3, 3, 1, 1, one, 1)},
      {"stride 2, more tiles than a chunk", convolution(2, 129, 130, 1, 2, 3, 3, 2, 2, one, 2)},
      {"stride 2, one pixel", convolution(2, 1, 1, 5, 7, 3, 3, 2, 2, one, 2)},
      {"stride 2, tiles with a remainder", convolution(3, 19, 26, 18, 70, 3, 3, 2, 2, one, 3)},
      {"stride 2, wide", convolution(2, 9, 9, 130, 66, 3, 3, 2, 2, one, 1)},
      {"stride 2, wide padding", convolution(1, 6, 7, 4, 5, 3, 3, 2, 2, {3, 3, 3, 3}, 1)},
      {"stride 2, long rows", convolution(1, 3, 150, 3, 16, 3, 3, 2, 2, one, 1)},
      {"1x7, one pixel", convolution(2, 1, 1, 5, 7, 1, 7, 1, 1, row_of_7, 2)},
      {"7x1, one pixel", convolution(2, 1, 1, 7, 5, 7, 1, 1, 1, column_of_7, 1)},
      {"1x7, whole tiles and vectors", convolution(2, 2, 9, 16, 32, 1, 7, 1, 1, row_of_7, 1)},
      {"7x1, whole tiles and vectors", convolution(2, 9, 3, 32, 16, 7, 1, 1, 1, column_of_7, 2)},
      {"1x7, 15 -> 17 channels", convolution(3, 3, 17, 15, 17, 1, 7, 1, 1, row_of_7, 3)},
      {"7x1, 17 -> 33 channels", convolution(4, 17, 3, 17, 33, 7, 1, 1, 1, column_of_7, 2)},
      {"1x7 without padding", convolution(2, 2, 20, 33, 16, 1, 7, 1, 1, none, 2)},
      {"7x1 without padding", convolution(2, 16, 5, 20, 31, 7, 1, 1, 1, none, 1)},
      {"7x1, asymmetric padding", convolution(2, 8, 5, 6, 18, 7, 1, 1, 1, {1, 4, 0, 2}, 2)},
      {"1x7, wide", convolution(2, 3, 8, 66, 130, 1, 7, 1, 1, row_of_7, 2)},
      {"7x1, wide", convolution(2, 8, 3, 130, 66, 7, 1, 1, 1, column_of_7, 1)},
      {"1x7, long rows, more tiles than a chunk", convolution(2, 24, 70, 2, 3, 1, 7, 1, 1, row_of_7, 2)},
      {"7x1, long rows, more tiles than a chunk", convolution(2, 20, 70, 3, 2, 7, 1, 1, 1, column_of_7, 2)},
      {"1x7, more weights than the cache holds", convolution(1, 1, 5, 690, 680, 1, 7, 1, 1, row_of_7, 1)},
      {"1x3, one pixel", convolution(2, 1, 1, 7, 5, 1, 3, 1, 1, row_of_3, 1)},
      {"1x3, whole tiles and vectors", convolution(2, 3, 8, 16, 32, 1, 3, 1, 1, row_of_3, 2)},
      {"3x1, whole tiles and vectors", convolution(2, 8, 2, 32, 16, 3, 1, 1, 1, column_of_3, 1)},
      {"1x3, 33 -> 15 channels", convolution(4, 3, 10, 33, 15, 1, 3, 1, 1, row_of_3, 2)},
      {"3x1, 15 -> 17 channels", convolution(3, 9, 4, 15, 17, 3, 1, 1, 1, column_of_3, 3)},
      {"3x1 without padding", convolution(2, 9, 5, 20, 31, 3, 1, 1, 1, none, 2)},
      {"1x3, asymmetric padding", convolution(2, 5, 8, 6, 18, 1, 3, 1, 1, {1, 0, 2, 0}, 2)},
      {"1x3, wide", convolution(2, 3, 8, 66, 130, 1, 3, 1, 1, row_of_3, 1)},
      {"3x1, long rows, more tiles than a chunk", convolution(2, 28, 70, 3, 2, 3, 1, 1, 1, column_of_3, 2)},
      {"few to many, several chunks", convolution(5, 36, 35, 3, 32, 3, 3, 1, 1, one, 5)},
      {"few to many, mostly padding", convolution(2, 2, 3, 5, 16, 3, 3, 1, 1, {4, 4, 4, 4}, 2)},
      {"few to many, 7x7, stride 2", convolution(2, 15, 17, 3, 48, 7, 7, 2, 2, {3, 3, 3, 3}, 2)},
      {"few to many, stride above the filter", convolution(2, 10, 11, 3, 16, 2, 2, 4, 3, none, 2)},
      {"8 -> 72 channels, 5x3", convolution(2, 7, 6, 8, 72, 5, 3, 1, 1, {2, 2, 1, 1}, 1)},
      {"24 -> 136 channels", convolution(1, 6, 5, 24, 136, 3, 3, 1, 1, one, 1)},
      {"104 -> 24 channels, stride 2, ghosts of several tiles",
       convolution(4, 11, 13, 104, 24, 3, 3, 2, 2, one, 2)},
      {"16 -> 8 channels, many pixels", convolution(2, 24, 25, 16, 8, 3, 3, 1, 1, one, 2)},
      {"strides 3 and 2, whole vectors", convolution(2, 11, 9, 16, 8, 3, 2, 3, 2, {1, 0, 0, 1}, 1)},
      {"stride above the filter, whole vectors", convolution(2, 10, 11, 8, 16, 2, 2, 4, 3, none, 2)},
      {"more padding than filter, whole vectors", convolution(1, 3, 4, 8, 8, 2, 2, 1, 1, {3, 3, 3, 3}, 1)},
      {"many pixels", convolution(3, 34, 33, 3, 17, 3, 3, 1, 1, one, 3)},
  };
}

}  // namespace crescendo::test

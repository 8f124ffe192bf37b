#include "data/resample.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <vector>

namespace crescendo {
namespace {

constexpr int64_t kBlock = 16;  // columns that are summed at a time, in vector registers

// The filter along one direction: output i = sum over t of weights[i * taps + t] * input[first[i] + t]. All
// outputs have the same number of taps; unneeded ones have weight 0.
struct Axis {
  int64_t taps = 0;
  std::vector<int64_t> first;
  std::vector<float> weights;

  const float* weights_of(int64_t i) const { return weights.data() + i * taps; }
};

// Makes the filter for `count` outputs that show [begin, begin + length) and read inputs [low, high).
Axis make_axis(double begin, double length, int64_t count, int64_t low, int64_t high) {
  struct Range {
    double centre;
    int64_t from, to;
  };
  const double scale = length / static_cast<double>(count), support = std::max(scale, 1.0);
  std::vector<Range> ranges;
  Axis axis;
  for (int64_t i = 0; i < count; ++i) {
    const double centre = begin + (static_cast<double>(i) + 0.5) * scale;
    const auto from = static_cast<int64_t>(std::floor(centre - support + 0.5));
    const auto to = static_cast<int64_t>(std::floor(centre + support + 0.5));
    ranges.push_back({centre, std::max(from, low), std::min(to, high)});
    axis.taps = std::max(axis.taps, ranges.back().to - ranges.back().from);
  }
  axis.weights.assign(static_cast<size_t>(count * axis.taps), 0);
  float* weights = axis.weights.data();
  for (const auto& [centre, from, to] : ranges) {
    const auto weight = [&, middle = centre](int64_t x) {
      return std::max(0.0, 1 - std::abs(static_cast<double>(x) + 0.5 - middle) / support);
    };
    double sum = 0;
    for (int64_t x = from; x < to; ++x) sum += weight(x);
    const int64_t first = std::min(from, high - axis.taps);
    for (int64_t x = from; x < to; ++x) weights[x - first] = static_cast<float>(weight(x) / sum);
    axis.first.push_back(first);
    weights += axis.taps;
  }
  return axis;
}

// Scale and shift of each value of a row: value * scale + shift. Padded by a block beyond the row's end.
struct Scaling {
  std::vector<float> scale, shift;
};

// Makes the scaling (value - mean) / deviation, or with `identity` the one that changes nothing.
Scaling make_scaling(const Normalisation& normalisation, int64_t count, bool identity) {
  Scaling scaling;
  for (int64_t i = 0; i < count + kBlock; ++i) {
    const auto c = static_cast<size_t>(i % 3);
    scaling.scale.push_back(identity ? 1 : 1 / normalisation.deviation[c]);
    scaling.shift.push_back(identity ? 0 : -normalisation.mean[c] / normalisation.deviation[c]);
  }
  return scaling;
}

// Filters one row of the image vertically and scales it: writes sums[x] for x in [begin, end), Block values
// at a time. Scaling here equals scaling after the horizontal filter, whose weights add up to 1, but handles
// three values a pixel instead of four.
template <size_t Block>
void sum_rows(const uint8_t* rows, int64_t stride, const float* weights, int64_t taps, int64_t begin,
              int64_t end, const Scaling& scaling, float* sums) {
  const float *scale = scaling.scale.data(), *shift = scaling.shift.data();
  for (int64_t x = begin; x < end; x += Block) {
    std::array<float, Block> sum{};
    for (int64_t t = 0; t < taps; ++t) {
      const uint8_t* row = rows + t * stride + x;
      for (size_t i = 0; i < Block; ++i) sum[i] += weights[t] * static_cast<float>(row[i]);
    }
    for (size_t i = 0; i < Block; ++i)
      sums[x + static_cast<int64_t>(i)] =
          sum[i] * scale[x + static_cast<int64_t>(i)] + shift[x + static_cast<int64_t>(i)];
  }
}

// Red, green, blue, and a fourth value that fills the vector.
using Pixel [[gnu::vector_size(16)]] = float;

Pixel load(const float* from) {
  Pixel pixel;
  std::memcpy(&pixel, from, sizeof pixel);
  return pixel;
}

// Adds the brightness to the three channels of a pixel.
void brighten(const ColourChange& change, float* pixel) {
  for (int c = 0; c < 3; ++c) pixel[c] = std::clamp(pixel[c] + change.brightness, 0.0F, 255.0F);
}

// Multiplies the saturation of a pixel in HSV. Hue and value, max(r,g,b), stay the same: each channel moves
// away from the value or towards it. The saturation is clamped to 1.
void saturate(const ColourChange& change, float* pixel) {
  const auto [least, most] = std::minmax({pixel[0], pixel[1], pixel[2]});
  if (most <= least) return;
  const float factor = std::min(change.saturation, most / (most - least));
  for (int c = 0; c < 3; ++c) pixel[c] = most - (most - pixel[c]) * factor;
}

// Changes the colours of `count` pixels, and normalises them.
void change_colours(const ColourChange& change, const Scaling& scaling, int64_t count, float* pixels) {
  for (int64_t i = 0; i < count; ++i, pixels += 3) {
    if (change.saturation_first) saturate(change, pixels);
    brighten(change, pixels);
    if (!change.saturation_first) saturate(change, pixels);
    for (int c = 0; c < 3; ++c)
      pixels[c] = pixels[c] * scaling.scale[static_cast<size_t>(c)] + scaling.shift[static_cast<size_t>(c)];
  }
}

// Filters one row horizontally. Writes four values per pixel; the next pixel overwrites the fourth. Writes
// nothing at `end` or behind it. `Taps` is the number of taps, or 0 to take it from the axis.
template <int64_t Taps>
void sum_columns(const float* row, const Axis& axis, const ResampleOptions& options, float* pixels,
                 const float* end) {
  const int64_t width = options.size.width, taps = Taps > 0 ? Taps : axis.taps;
  const int64_t step = options.flip ? -1 : 1;
  int64_t from = options.flip ? width - 1 : 0;
  for (int64_t x = 0; x < width; ++x, from += step, pixels += 3) {
    const float* inputs = row + axis.first[static_cast<size_t>(from)];
    const float* weights = axis.weights.data() + from * taps;
    Pixel sum{};
    for (int64_t t = 0; t < taps; ++t) sum += weights[t] * load(inputs + 3 * t);
    std::memcpy(pixels, &sum, pixels + 4 <= end ? sizeof sum : 3 * sizeof(float));
  }
}

void write_row(const float* row, const Axis& axis, const ResampleOptions& options, float* pixels,
               const float* end) {
  if (axis.taps == 2) return sum_columns<2>(row, axis, options, pixels, end);
  if (axis.taps == 3) return sum_columns<3>(row, axis, options, pixels, end);
  if (axis.taps == 4) return sum_columns<4>(row, axis, options, pixels, end);
  sum_columns<0>(row, axis, options, pixels, end);
}

}  // namespace

void resample(const PictureView& picture, const ResampleOptions& options, float* pixels) {
  const auto& [box, bounds, size, flip, colour, normalisation] = options;
  const Axis rows = make_axis(box.top, box.height, size.height, bounds.top, bounds.top + bounds.height);
  // Columns count from the left edge of the bounds, since only columns within the bounds are summed.
  Axis columns =
      make_axis(box.left - static_cast<double>(bounds.left), box.width, size.width, 0, bounds.width);
  for (int64_t& first : columns.first) first *= 3;
  const int64_t stride = 3 * picture.width, count = 3 * bounds.width, whole = count / kBlock * kBlock;
  const bool changes = colour.changes();
  const Scaling of_rows = make_scaling(normalisation, count, changes);
  const Scaling of_pixels = make_scaling(normalisation, 3, false);
  std::vector<float> row(static_cast<size_t>(count + 1));  // + 1: the last pixel is read as four values
  const float* end = pixels + size.elements();
  for (int64_t y = 0; y < size.height; ++y, pixels += 3 * size.width) {
    const uint8_t* from = picture.bytes + rows.first[static_cast<size_t>(y)] * stride + 3 * bounds.left;
    sum_rows<kBlock>(from, stride, rows.weights_of(y), rows.taps, 0, whole, of_rows, row.data());
    sum_rows<1>(from, stride, rows.weights_of(y), rows.taps, whole, count, of_rows, row.data());
    write_row(row.data(), columns, options, pixels, end);
    if (changes) change_colours(colour, of_pixels, size.width, pixels);
  }
}

}  // namespace crescendo

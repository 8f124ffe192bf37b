#include "data/resample.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

namespace crescendo {
namespace {

constexpr int64_t kBlock = 16;  // values summed side by side

// The weights of one direction: output i is the sum over t of weights[i * taps + t] * input[first[i] + t].
// Outputs that need fewer inputs than others have weights of 0.
struct Axis {
  int64_t taps = 0;
  std::vector<int64_t> first;
  std::vector<float> weights;

  const float* weights_of(int64_t i) const { return weights.data() + i * taps; }
};

// `count` outputs show [begin, begin + length) of inputs [low, high).
Axis make_axis(double begin, double length, int64_t count, int64_t low, int64_t high) {
  const double scale = length / static_cast<double>(count);
  const double support = std::max(scale, 1.0);
  Axis axis;
  axis.taps = std::min(static_cast<int64_t>(std::ceil(2 * support)) + 1, high - low);
  axis.weights.assign(static_cast<size_t>(count * axis.taps), 0);
  for (int64_t i = 0; i < count; ++i) {
    const double centre = begin + (static_cast<double>(i) + 0.5) * scale;
    const int64_t from = std::max(static_cast<int64_t>(std::floor(centre - support + 0.5)), low);
    const int64_t to = std::min(static_cast<int64_t>(std::floor(centre + support + 0.5)), high);
    const int64_t first = std::min(from, high - axis.taps);
    const auto weight = [&](int64_t x) {
      return std::max(0.0, 1 - std::abs(static_cast<double>(x) + 0.5 - centre) / support);
    };
    double sum = 0;
    for (int64_t x = from; x < to; ++x) sum += weight(x);
    float* weights = axis.weights.data() + i * axis.taps;
    for (int64_t x = from; x < to; ++x) weights[x - first] = static_cast<float>(weight(x) / sum);
    axis.first.push_back(first);
  }
  return axis;
}

// One row of the image before its columns are resampled: sums[x] for x in [begin, end), Block at a time.
template <size_t Block>
void sum_rows(const uint8_t* rows, int64_t stride, const float* weights, int64_t taps, int64_t begin,
              int64_t end, float* sums) {
  for (int64_t x = begin; x < end; x += Block) {
    std::array<float, Block> sum{};
    for (int64_t t = 0; t < taps; ++t) {
      const uint8_t* row = rows + t * stride + x;
      for (size_t i = 0; i < Block; ++i) sum[i] += weights[t] * static_cast<float>(row[i]);
    }
    std::copy(sum.begin(), sum.end(), sums + x);
  }
}

using Pixel = std::array<float, 4>;  // the fourth is there to fill a vector

Pixel sum_columns(const float* row, const float* weights, int64_t taps) {
  Pixel sum{};
  for (int64_t t = 0; t < taps; ++t)
    for (size_t c = 0; c < 4; ++c) sum[c] += weights[t] * row[3 * t + static_cast<int64_t>(c)];
  return sum;
}

void clamp(Pixel& pixel) {
  for (float& value : pixel) value = std::clamp(value, 0.0F, 255.0F);
}

void brighten(const ColourChange& change, Pixel& pixel) {
  for (float& value : pixel) value += change.brightness;
  clamp(pixel);
}

// In HSV the value, max(r,g,b), and the hue stay: every channel moves away from the value, or towards it, and
// the saturation cannot exceed 1.
void saturate(const ColourChange& change, Pixel& pixel) {
  const auto [least, most] = std::minmax({pixel[0], pixel[1], pixel[2]});
  if (most <= least) return;
  const float factor = std::min(change.saturation, most / (most - least));
  for (size_t c = 0; c < 3; ++c) pixel[c] = most - (most - pixel[c]) * factor;
}

void change_colour(const ColourChange& change, Pixel& pixel) {
  if (change.saturation_first) saturate(change, pixel);
  brighten(change, pixel);
  if (!change.saturation_first) saturate(change, pixel);
  clamp(pixel);
}

// (value - mean) / deviation as value * scale + shift.
struct Scaling {
  explicit Scaling(const Normalisation& normalisation) {
    for (size_t c = 0; c < 3; ++c) {
      scale[c] = 1 / normalisation.deviation[c];
      shift[c] = -normalisation.mean[c] / normalisation.deviation[c];
    }
  }
  Pixel scale{}, shift{};
};

void write_row(const float* row, const Axis& columns, const ResampleOptions& options, const Scaling& scaling,
               float* pixels) {
  const int64_t width = options.size.width;
  const bool colour = options.colour.changes();
  for (int64_t x = 0; x < width; ++x) {
    const int64_t from = options.flip ? width - 1 - x : x;
    Pixel pixel = sum_columns(row + 3 * columns.first[static_cast<size_t>(from)], columns.weights_of(from),
                              columns.taps);
    if (colour) change_colour(options.colour, pixel);
    for (size_t c = 0; c < 4; ++c) pixel[c] = pixel[c] * scaling.scale[c] + scaling.shift[c];
    std::copy_n(pixel.begin(), 3, pixels + 3 * x);
  }
}

}  // namespace

void resample(const PictureView& picture, const ResampleOptions& options, float* pixels) {
  const auto& [box, bounds, size, flip, colour, normalisation] = options;
  const Axis rows = make_axis(box.top, box.height, size.height, bounds.top, bounds.top + bounds.height);
  // The columns are counted from the bounds' left: only those are summed.
  const Axis columns =
      make_axis(box.left - static_cast<double>(bounds.left), box.width, size.width, 0, bounds.width);
  const Scaling scaling(normalisation);
  const int64_t stride = 3 * picture.width, count = 3 * bounds.width, whole = count / kBlock * kBlock;
  std::vector<float> row(static_cast<size_t>(count + 1));  // a pixel is read as four values
  for (int64_t y = 0; y < size.height; ++y) {
    const uint8_t* from = picture.bytes + rows.first[static_cast<size_t>(y)] * stride + 3 * bounds.left;
    sum_rows<kBlock>(from, stride, rows.weights_of(y), rows.taps, 0, whole, row.data());
    sum_rows<1>(from, stride, rows.weights_of(y), rows.taps, whole, count, row.data());
    write_row(row.data(), columns, options, scaling, pixels + y * 3 * size.width);
  }
}

}  // namespace crescendo

#include "data/shapes.h"

#include <algorithm>
#include <array>
#include <cstdlib>

#include "base/check.h"
#include "base/parallel_ranges.h"
#include "base/rng.h"
#include "data/byte_images.h"

namespace crescendo {
namespace {

// A figure is given in coordinates (u, v) of its own, in which it reaches to about kUnit in each direction.
// Positions in the picture are in kPixel-ths of a pixel.
constexpr int kUnit = 4096, kPixel = 256;
constexpr int kSide = static_cast<int>(kShapesSide);

enum class Figure { disc, ring, square, frame, triangle, plus, star, stripes, crescent, hourglass, stroke };
constexpr int kShapes = 10;  // the stroke is clutter only

constexpr int kMostTurn = 68;  // 30 degrees, see place()

constexpr int unit(double x) { return static_cast<int>(x * kUnit); }

bool in_disc(int u, int v, int radius) { return u * u + v * v <= radius * radius; }
bool in_square(int u, int v, int half) { return std::abs(u) <= half && std::abs(v) <= half; }

bool in_triangle(int u, int v) {  // equilateral, one corner where v is greatest
  return v >= -unit(0.5) && v + 7094 * std::abs(u) / kUnit <= kUnit;  // 7094 = sqrt(3) kUnit
}

// A pentagram's inside lies within at least four of its five lines, each at cos(72 degrees) from the centre.
bool in_star(int u, int v) {
  constexpr std::array<std::array<int, 2>, 5> kNormals{
      {{0, 4096}, {3896, 1266}, {2408, -3314}, {-2408, -3314}, {-3896, 1266}}};
  int within = 0;
  for (const auto& normal : kNormals)
    within += (u * normal[0] + v * normal[1]) / kUnit <= unit(0.309) ? 1 : 0;
  return within >= 4;
}

bool inside(Figure figure, int u, int v) {
  switch (figure) {
    case Figure::disc:
      return in_disc(u, v, unit(0.9));
    case Figure::ring:
      return in_disc(u, v, unit(0.95)) && !in_disc(u, v, unit(0.6));
    case Figure::square:
      return in_square(u, v, unit(0.78));
    case Figure::frame:
      return in_square(u, v, unit(0.82)) && !in_square(u, v, unit(0.5));
    case Figure::triangle:
      return in_triangle(u, v);
    case Figure::plus:
      return in_square(u, v, unit(0.95)) && std::min(std::abs(u), std::abs(v)) <= unit(0.27);
    case Figure::star:
      return in_star(u, v);
    case Figure::stripes:
      return in_square(u, v, unit(0.85)) && std::abs(std::abs(v) - unit(0.425)) >= unit(0.18);
    case Figure::crescent:
      return in_disc(u, v, kUnit) && !in_disc(u - unit(0.5), v, unit(0.8));
    case Figure::hourglass:
      return std::abs(v) <= unit(0.85) && std::abs(u) <= std::abs(v);
    case Figure::stroke:
      return std::abs(u) <= kUnit && std::abs(v) <= unit(0.11);
  }
  return false;
}

// Random numbers of one picture, in the order they are asked for: never twice in one call's arguments, which
// compilers evaluate in orders of their own.
class Dice {
 public:
  Dice(uint64_t key, Split split, int64_t index)
      : key_(key), index_(static_cast<uint64_t>(index)), split_(split == Split::train ? 0 : 1) {}

  PhiloxWords words() { return random_words(key_, index_, split_, block_++); }
  // An integer in [low, high].
  int between(int low, int high) {
    if (used_ == 4) {
      words_ = words();
      used_ = 0;
    }
    return low +
           static_cast<int>(random_below(words_.word[used_++], 0, static_cast<uint64_t>(high - low) + 1));
  }

 private:
  uint64_t key_, index_;
  uint32_t split_, block_ = 0;
  PhiloxWords words_{};
  int used_ = 4;
};

using Colour = std::array<int, 3>;
using Canvas = std::array<Colour, kSide * kSide>;  // 0..255, rounded to bytes at the end

size_t pixel_index(int x, int y) { return static_cast<size_t>(y) * kSide + static_cast<size_t>(x); }

Colour any_colour(Dice& dice) {
  return {dice.between(50, 205), dice.between(50, 205), dice.between(50, 205)};
}

// Lighter or darker by at least `least` and at most `most` in each channel.
Colour shifted(const Colour& colour, Dice& dice, int least, int most) {
  const int lightness = (colour[0] + colour[1] + colour[2]) / 3;
  const int sign = dice.between(50, 205) >= lightness ? 1 : -1;
  Colour result = colour;
  for (int& value : result) value = std::clamp(value + sign * dice.between(least, most), 0, 255);
  return result;
}

// Where a figure lies: (u, v) = matrix * (position - centre).
struct Placement {
  int x, y, reach;            // centre and greatest extent, in kPixel-ths
  std::array<int, 4> matrix;  // 12 fractional bits
};

// Turned by the angle whose half has the tangent t / 256, from the rational points of the circle:
// ((1 - t^2), 2t) / (1 + t^2).
Placement place(int x, int y, int radius, int squeeze, int t) {
  const int one = 256 * 256, length = one + t * t;
  const int cosine = static_cast<int>(int64_t{one - t * t} * kUnit / length);
  const int sine = static_cast<int>(int64_t{512} * t * kUnit / length);
  // A pixel is kUnit / radius units along u, and more along the axis that is squeezed.
  const int along_u = kUnit * kPixel / radius, along_v = along_u * 256 / squeeze;
  return {x,
          y,
          radius,
          {along_u * cosine / kPixel, along_u * sine / kPixel, -along_v * sine / kPixel,
           along_v * cosine / kPixel}};
}

// Quarters of the pixel at (x, y) that lie inside.
int covered(Figure figure, const Placement& at, int x, int y) {
  int count = 0;
  for (const int dy : {64, 192})
    for (const int dx : {64, 192}) {
      const int px = x * kPixel + dx - at.x, py = y * kPixel + dy - at.y;
      const int u = (at.matrix[0] * px + at.matrix[1] * py) / kUnit;
      const int v = (at.matrix[2] * px + at.matrix[3] * py) / kUnit;
      count += inside(figure, u, v) ? 1 : 0;
    }
  return count;
}

void paint(Canvas& canvas, Figure figure, const Placement& at, const Colour& colour) {
  const auto first = [&](int centre) { return std::max((centre - at.reach) / kPixel - 1, 0); };
  const auto last = [&](int centre) { return std::min((centre + at.reach) / kPixel + 1, kSide - 1); };
  for (int y = first(at.y); y <= last(at.y); ++y)
    for (int x = first(at.x); x <= last(at.x); ++x) {
      const int quarters = covered(figure, at, x, y);
      Colour& pixel = canvas[pixel_index(x, y)];
      for (size_t c = 0; c < 3; ++c) pixel[c] += (colour[c] - pixel[c]) * quarters / 4;
    }
}

// A colour that changes from corner to corner.
void paint_background(Canvas& canvas, const Colour& colour, Dice& dice) {
  std::array<Colour, 4> corners;
  for (Colour& corner : corners) corner = shifted(colour, dice, 0, 35);
  constexpr int kLast = kSide - 1;
  for (int y = 0; y < kSide; ++y)
    for (int x = 0; x < kSide; ++x)
      for (size_t c = 0; c < 3; ++c)
        canvas[pixel_index(x, y)][c] = ((corners[0][c] * (kLast - x) + corners[1][c] * x) * (kLast - y) +
                                        (corners[2][c] * (kLast - x) + corners[3][c] * x) * y) /
                                       (kLast * kLast);
}

// A stroke or a small blob anywhere.
void paint_clutter(Canvas& canvas, const Colour& background, Dice& dice) {
  const bool stroke = dice.between(0, 2) > 0;
  const int radius = stroke ? dice.between(4 * kPixel, 12 * kPixel) : dice.between(kPixel, 3 * kPixel);
  const int x = dice.between(0, kSide * kPixel), y = dice.between(0, kSide * kPixel);
  const Placement at = place(x, y, radius, kPixel, dice.between(-256, 256));
  paint(canvas, stroke ? Figure::stroke : Figure::disc, at, shifted(background, dice, 10, 45));
}

// Each channel of each pixel moves by up to `amount`, most often by little.
void write_with_noise(const Canvas& canvas, int amount, Dice& dice, uint8_t* pixels) {
  PhiloxWords words{};
  for (size_t i = 0; i < canvas.size() * 3; ++i) {
    if (i % 8 == 0) words = dice.words();
    const uint32_t bits = words.word[i % 8 / 2] >> (16 * (i % 2));
    const int noise = static_cast<int>(bits & 255) + static_cast<int>((bits >> 8) & 255) - 255;
    pixels[i] = static_cast<uint8_t>(std::clamp(canvas[i / 3][i % 3] + noise * amount / 255, 0, 255));
  }
}

}  // namespace

const std::vector<std::string>& shape_names() {
  static const std::vector<std::string> names{"disc", "ring", "square",  "frame",    "triangle",
                                              "plus", "star", "stripes", "crescent", "hourglass"};
  return names;
}

int32_t draw_shape(uint64_t seed, Split split, int64_t index, uint8_t* pixels) {
  Dice dice(random_key(seed, Purpose::drawing), split, index);
  const auto label = static_cast<int32_t>(index % kShapes);
  const Colour background = any_colour(dice);
  Canvas canvas;
  paint_background(canvas, background, dice);
  for (int i = dice.between(1, 3); i > 0; --i) paint_clutter(canvas, background, dice);

  const int radius = dice.between(8 * kPixel, 13 * kPixel);
  const int x = dice.between(radius, kSide * kPixel - radius),
            y = dice.between(radius, kSide * kPixel - radius);
  const int turn = dice.between(-kMostTurn, kMostTurn), squeeze = dice.between(200, 256);
  const Placement at = place(x, y, radius, squeeze, turn);
  paint(canvas, static_cast<Figure>(label), at, shifted(background, dice, 45, 120));

  for (int i = dice.between(0, 1); i > 0; --i) paint_clutter(canvas, background, dice);
  write_with_noise(canvas, dice.between(10, 40), dice, pixels);
  return label;
}

std::shared_ptr<const Dataset> draw_shapes(const DatasetOptions& options, Split split) {
  const bool train = split == Split::train;
  const int64_t available = train ? kShapesTrainImages : kShapesTestImages;
  const int64_t count = train && options.train_images > 0 ? options.train_images : available;
  require(count <= available, "shapes: ", count, " training images asked for, there are ", available);
  ByteImageSet set{.image_size = {kShapesSide, kShapesSide, 3},
                   .images = {},
                   .memory = nullptr,
                   .labels = {},
                   .class_names = shape_names(),
                   .normalisation = kShapesNormalisation,
                   .augment = options.augments(split)};
  uint8_t* bytes = set.allocate(count);
  parallel_ranges(count, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      set.labels[static_cast<size_t>(i)] =
          draw_shape(options.seed, split, i, bytes + i * set.image_size.elements());
  });
  return std::make_shared<ByteImages>(std::move(set));
}

}  // namespace crescendo

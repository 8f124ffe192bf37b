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

// A figure has its own coordinates (u, v), in which it extends to about kUnit in each direction. Positions in
// the picture are in units of 1/kPixel pixel.
constexpr int kUnit = 4096, kPixel = 256;
constexpr int kSide = static_cast<int>(kShapesSide);

enum class Figure { disc, ring, square, frame, triangle, plus, star, stripes, crescent, hourglass, stroke };
constexpr int kShapes = 10;  // number of classes; the stroke is only clutter

constexpr int kMostTurn = 68;  // 30 degrees, in the unit of placement()'s argument t

constexpr int unit(double x) { return static_cast<int>(x * kUnit); }

bool in_disc(int u, int v, int radius) { return u * u + v * v <= radius * radius; }
bool in_square(int u, int v, int half) { return std::abs(u) <= half && std::abs(v) <= half; }

bool in_triangle(int u, int v) {  // equilateral, one corner where v is greatest
  return v >= -unit(0.5) && v + 7094 * std::abs(u) / kUnit <= kUnit;  // 7094 = sqrt(3) kUnit
}

// A point is in a pentagram if it is on the inner side of at least four of the five lines, which are at a
// distance of cos(72 degrees) from the centre.
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

// Random numbers of one picture, in the order of the calls. A function call must not have two of them among
// its arguments, because compilers differ in the order of evaluation.
class Dice {
 public:
  Dice(uint64_t key, Split split, int64_t index)
      : key_(key), index_(static_cast<uint64_t>(index)), split_(split == Split::train ? 0 : 1) {}

  PhiloxWords words() { return random_words(key_, index_, split_, block_++); }
  // Returns an integer in [low, high].
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

// Returns a colour that is lighter or darker by at least `least` and at most `most` in each channel.
Colour shifted(const Colour& colour, Dice& dice, int least, int most) {
  const int lightness = (colour[0] + colour[1] + colour[2]) / 3;
  const int sign = dice.between(50, 205) >= lightness ? 1 : -1;
  Colour result = colour;
  for (int& value : result) value = std::clamp(value + sign * dice.between(least, most), 0, 255);
  return result;
}

// Position, size and rotation of a figure: (u, v) = matrix * (position - centre).
struct Placement {
  int x, y, reach;            // centre and greatest extent, in 1/kPixel pixel
  std::array<int, 4> matrix;  // 12 fractional bits
};

// Returns the placement of a figure that is turned by the angle whose half has the tangent s = t / 256. Its
// cosine and sine are rational: (1 - s^2) / (1 + s^2) and 2 s / (1 + s^2). `squeeze` / 256 is the factor of
// its extent along v.
Placement placement(int x, int y, int radius, int squeeze, int t) {
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

// Returns how many quarters of the pixel at (x, y) are inside the figure.
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

// Paints a gradient: a random colour in each corner, interpolated in between.
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

// Paints a stroke or a small disc at a random position.
void paint_clutter(Canvas& canvas, const Colour& background, Dice& dice) {
  const bool stroke = dice.between(0, 2) > 0;
  const int radius = stroke ? dice.between(4 * kPixel, 12 * kPixel) : dice.between(kPixel, 3 * kPixel);
  const int x = dice.between(0, kSide * kPixel), y = dice.between(0, kSide * kPixel);
  const Placement at = placement(x, y, radius, kPixel, dice.between(-256, 256));
  paint(canvas, stroke ? Figure::stroke : Figure::disc, at, shifted(background, dice, 10, 45));
}

// Converts to bytes, and adds triangular noise in [-amount, amount] to each channel of each pixel.
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
  const Placement at = placement(x, y, radius, squeeze, turn);
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

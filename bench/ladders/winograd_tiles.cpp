// Transforms of lines, for the points 0, +-a, +-b and infinity, and of squares.
// Each element is a vector of channels.
#include "winograd_tiles.h"

#include "kernels/cpu/matmul_tile.h"

namespace crescendo::bench {

using namespace CRESCENDO_CPU;

namespace {

constexpr real kA = 0.75, kB = 1.5, kA2 = kA * kA, kB2 = kB * kB;

// B^T: transforms six inputs to the six points.
void transform_input_line(const Vector (&x)[kPoints], Vector (&v)[kPoints]) {
  const Vector even_a = x[4] - kB2 * x[2], odd_a = kA * (x[3] - kB2 * x[1]);
  const Vector even_b = x[4] - kA2 * x[2], odd_b = kB * (x[3] - kA2 * x[1]);
  v[0] = kA2 * kB2 * x[0] - (kA2 + kB2) * x[2] + x[4];
  v[1] = even_a + odd_a;
  v[2] = even_a - odd_a;
  v[3] = even_b + odd_b;
  v[4] = even_b - odd_b;
  v[5] = kA2 * kB2 * x[1] - (kA2 + kB2) * x[3] + x[5];
}

// G: transforms three weights to the six points.
void transform_weight_line(const Vector (&g)[kTaps], Vector (&u)[kPoints]) {
  constexpr real at_a = 1 / (2 * kA2 * (kA2 - kB2)), at_b = 1 / (2 * kB2 * (kB2 - kA2));
  const Vector even_a = at_a * (g[0] + kA2 * g[2]), odd_a = at_a * kA * g[1];
  const Vector even_b = at_b * (g[0] + kB2 * g[2]), odd_b = at_b * kB * g[1];
  u[0] = 1 / (kA2 * kB2) * g[0];
  u[1] = even_a + odd_a;
  u[2] = even_a - odd_a;
  u[3] = even_b + odd_b;
  u[4] = even_b - odd_b;
  u[5] = g[2];
}

// A^T: transforms the products at the six points to four outputs.
void transform_output_line(const Vector (&m)[kPoints], Vector (&y)[kOutputs]) {
  const Vector even_a = m[1] + m[2], odd_a = kA * (m[1] - m[2]);
  const Vector even_b = m[3] + m[4], odd_b = kB * (m[3] - m[4]);
  y[0] = m[0] + even_a + even_b;
  y[1] = odd_a + odd_b;
  y[2] = kA2 * even_a + kB2 * even_b;
  y[3] = kA2 * odd_a + kB2 * odd_b + m[5];
}

// Transforms the columns of a square, then the rows of the result.
template <int From, int To, class Line>
void transform_square(const Line& line, const Vector (&from)[From][From], Vector (&to)[To][To]) {
  Vector half[To][From];
  for (int j = 0; j < From; ++j) {
    Vector column[From], transformed[To];
    for (int i = 0; i < From; ++i) column[i] = from[i][j];
    line(column, transformed);
    for (int i = 0; i < To; ++i) half[i][j] = transformed[i];
  }
  for (int i = 0; i < To; ++i) line(half[i], to[i]);
}

}  // namespace

void transform_panels(const Layer& layer, const real* packed, const Matrices& u) {
  const int64_t tap = layer.channels * kTileWidth;
  for (int64_t k = 0; k < layer.channels; k += kTileWidth)
    for (int64_t i = 0; i < tap; i += kLanes) {
      Vector g[kTaps][kTaps], points[kPoints][kPoints];
      for (int r = 0; r < kTaps; ++r)
        for (int s = 0; s < kTaps; ++s)
          g[r][s] = load(packed + k * layer.filter() + (r * kTaps + s) * tap + i);
      transform_square(transform_weight_line, g, points);
      for (int j = 0; j < kMatrices; ++j)
        store(u.values + j * u.matrix + k * layer.channels + i, points[j / kPoints][j % kPoints]);
    }
}

void multiply_matrices(int64_t channels, int64_t tiles, const Matrices& v, const Matrices& u,
                       const Matrices& m) {
  Prefetch nothing_ahead;
  for (int64_t point = 0; point < kMatrices; ++point)
    multiply_tiles(
        tiles, channels, channels, v.values + point * v.matrix, v.row, 1, u.values + point * u.matrix,
        channels * kTileWidth, [](int64_t width) { return width; }, m.values + point * m.matrix, m.row,
        Write::overwrite, nothing_ahead);
}

void transform_inputs(const Layer& layer, const TilePlace& place, const real* x, real* v, int64_t matrix) {
  for (int64_t c = 0; c < layer.channels; c += kLanes) {
    Vector pixels[kPoints][kPoints], points[kPoints][kPoints];
    for (int i = 0; i < kPoints; ++i)
      for (int j = 0; j < kPoints; ++j) {
        const int64_t h = place.row + i - 1, w = place.column + j - 1;
        const bool exists = h >= 0 && h < layer.size && w >= 0 && w < layer.size;
        pixels[i][j] = exists
                           ? load(x + place.image * layer.image() + (h * layer.size + w) * layer.channels + c)
                           : zero();
      }
    transform_square(transform_input_line, pixels, points);
    for (int j = 0; j < kMatrices; ++j) store(v + j * matrix + c, points[j / kPoints][j % kPoints]);
  }
}

void transform_outputs(const Layer& layer, const TilePlace& place, const real* m, int64_t matrix, real* y) {
  for (int64_t k = 0; k < layer.channels; k += kLanes) {
    Vector points[kPoints][kPoints], outputs[kOutputs][kOutputs];
    for (int j = 0; j < kMatrices; ++j) points[j / kPoints][j % kPoints] = load(m + j * matrix + k);
    transform_square(transform_output_line, points, outputs);
    for (int i = 0; i < kOutputs; ++i)
      for (int j = 0; j < kOutputs; ++j)
        store(y + place.image * layer.image() +
                  ((place.row + i) * layer.size + place.column + j) * layer.channels + k,
              outputs[i][j]);
  }
}

}  // namespace crescendo::bench

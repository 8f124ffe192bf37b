// Winograd's F(4x4, 3x3), derived in docs/derivations/winograd.md: 36 products of transformed inputs and
// weights give 16 outputs of a 3x3 filter. Versions 6 and 7 share this.
#pragma once

#include "ladder.h"

namespace crescendo::bench {

constexpr int kPoints = 6, kOutputs = 4, kTaps = 3, kMatrices = kPoints * kPoints;

// The layout of V [point][tile][c] and M [point][tile][k]: strides of `matrix` elements between points, and
// of `row` elements between tiles.
struct Matrices {
  real* values;
  int64_t row, matrix;

  real* tile(int64_t t) const { return values + t * row; }
};

// The position of a tile. Tiles are counted along rows, then down, then from image to image.
struct TilePlace {
  int64_t image, row, column;  // of the first of 4x4 pixels

  TilePlace(const Layer& layer, int64_t tile) {
    const int64_t across = layer.size / kOutputs;
    image = tile / (across * across);
    row = tile / across % across * kOutputs;
    column = tile % across * kOutputs;
  }
};
inline int64_t tile_count(const Layer& layer) {
  return layer.images * layer.pixels() / (kOutputs * kOutputs);
}

// Transforms all weights, in panels [r][s][c][kTileWidth], to U [point][panel of k][c][kTileWidth].
void transform_panels(const Layer&, const real* packed, const Matrices& u);

// Computes M = V U for each point, with `tiles` rows.
void multiply_matrices(int64_t channels, int64_t tiles, const Matrices& v, const Matrices& u,
                       const Matrices& m);

// Transforms the 6x6 pixels under a tile, which are zero outside the image, to one row of V per point.
void transform_inputs(const Layer&, const TilePlace&, const real* x, real* v, int64_t matrix);

// Transforms one row of M per point to the 4x4 outputs of a tile.
void transform_outputs(const Layer&, const TilePlace&, const real* m, int64_t matrix, real* y);

}  // namespace crescendo::bench

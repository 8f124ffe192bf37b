// Winograd's F(4x4, 3x3), derived in docs/derivations/winograd.md: 16 outputs of a 3x3 filter from the 36
// products of transformed inputs and weights. What versions 6 and 7 share.
#pragma once

#include "ladder.h"

namespace crescendo::bench {

constexpr int kPoints = 6, kOutputs = 4, kTaps = 3, kMatrices = kPoints * kPoints;

// Where the values of a point lie: V [tile][c] and M [tile][k], each point `matrix` elements after the one
// before.
struct Matrices {
  real* values;
  int64_t row, matrix;

  real* tile(int64_t t) const { return values + t * row; }
};

// The tiles of all images, counted along rows, then down, then from image to image.
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

// All weights to U [point][panel of k][c][kTileWidth], from panels [r][s][c][kTileWidth].
void transform_panels(const Layer&, const real* packed, const Matrices& u);

// M = V U for each point, of `tiles` rows.
void multiply_matrices(int64_t channels, int64_t tiles, const Matrices& v, const Matrices& u,
                       const Matrices& m);

// The 6x6 pixels under a tile, zero outside the image, to a row of V.
void transform_inputs(const Layer&, const TilePlace&, const real* x, real* v, int64_t matrix);

// A row of M to the 4x4 outputs of a tile.
void transform_outputs(const Layer&, const TilePlace&, const real* m, int64_t matrix, real* y);

}  // namespace crescendo::bench

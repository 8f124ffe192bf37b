// 7. The same in blocks of 16 tiles. With 64 channels, V and M of a block have 370 KB together and stay in
// the second-level cache between the steps. x is read once and y is written once. Apart from them, only the
// weights (590 KB, read by every block) come from beyond that cache.
//
// Rows and matrices are padded by 64 bytes. At distances that are powers of two, the 36 lines that a
// transform writes would compete for the same few places in the cache.
#include <algorithm>

#include "kernels/cpu/simd.h"
#include "winograd_tiles.h"

namespace crescendo::bench {

using namespace CRESCENDO_CPU;

namespace {

constexpr int64_t kBlock = 16;                // tiles
constexpr int64_t kSkew = 64 / sizeof(real);  // elements

}  // namespace

Convolution winograd_blocks(const Layer& layer) {
  const int64_t channels = layer.channels, tiles = tile_count(layer);
  const int64_t row = channels + kSkew, matrix = kBlock * row + kSkew, u_matrix = channels * channels + kSkew;
  const Memory packed = allocate(channels * layer.filter()), u_memory = allocate(kMatrices * u_matrix),
               v_memory = allocate(kMatrices * matrix), m_memory = allocate(kMatrices * matrix);
  return [=](const real* x, const real* weight, real* y) {
    const Matrices u{u_memory.get(), kTileWidth, u_matrix};
    const Matrices v{v_memory.get(), row, matrix}, m{m_memory.get(), row, matrix};
    pack_weights(layer, weight, kTileWidth, packed.get());
    transform_panels(layer, packed.get(), u);
    for (int64_t first = 0; first < tiles; first += kBlock) {
      const int64_t count = std::min(kBlock, tiles - first);
      for (int64_t t = 0; t < count; ++t)
        transform_inputs(layer, TilePlace(layer, first + t), x, v.tile(t), matrix);
      multiply_matrices(channels, count, v, u, m);
      for (int64_t t = 0; t < count; ++t)
        transform_outputs(layer, TilePlace(layer, first + t), m.tile(t), matrix, y);
    }
  };
}

}  // namespace crescendo::bench

// 6. Winograd's algorithm, which needs 36 products for 16 outputs instead of 144: transform all weights and
// all inputs, multiply 36 matrices, transform back. The products are computed by tiles as in version 4, with
// the library's function (kernels/cpu/matmul_tile.h).
//
// V and M hold 36 values where x and y hold 16. For 8 images of 32x32 with 64 channels, each has
// 4.7 MB, which are written and read again. The second-level cache has 1 MB, so V and M go to the
// third level or to memory.
#include "kernels/cpu/simd.h"
#include "winograd_tiles.h"

namespace crescendo::bench {

using namespace CRESCENDO_CPU;

Convolution winograd_whole(const Layer& layer) {
  const int64_t channels = layer.channels, tiles = tile_count(layer);
  const Memory packed = allocate(channels * layer.filter()),
               u_memory = allocate(kMatrices * channels * channels),
               v_memory = allocate(kMatrices * tiles * channels),
               m_memory = allocate(kMatrices * tiles * channels);
  return [=](const real* x, const real* weight, real* y) {
    const Matrices u{u_memory.get(), kTileWidth, channels * channels};
    const Matrices v{v_memory.get(), channels, tiles * channels},
        m{m_memory.get(), channels, tiles * channels};
    pack_weights(layer, weight, kTileWidth, packed.get());
    transform_panels(layer, packed.get(), u);
    for (int64_t t = 0; t < tiles; ++t) transform_inputs(layer, TilePlace(layer, t), x, v.tile(t), v.matrix);
    multiply_matrices(channels, tiles, v, u, m);
    for (int64_t t = 0; t < tiles; ++t) transform_outputs(layer, TilePlace(layer, t), m.tile(t), m.matrix, y);
  };
}

}  // namespace crescendo::bench

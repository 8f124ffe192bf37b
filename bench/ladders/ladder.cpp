#include "ladder.h"

#include <algorithm>
#include <new>

namespace crescendo::bench {

std::vector<Version> versions(const Layer& layer) {
  return {
      {"1 loops", "the formula as it reads", loops(layer)},
      {"2 loop order", "innermost over output channels: vectors", loop_order(layer)},
      {"3 pixel in registers", "sums stay in registers", pixel_in_registers(layer)},
      {"4 tile in registers", "pixels share each weight loaded", tile_in_registers(layer)},
      {"5 packed panels", "weights in order of use, pixels not copied", packed_panels(layer)},
      {"6 Winograd", "a quarter of the products", winograd_whole(layer), true},
      {"7 Winograd in blocks", "intermediate values stay in the cache", winograd_blocks(layer), true},
      {"8 library", "lean transforms, prefetch", library(layer), true},
  };
}

Memory allocate(int64_t n) {
  constexpr std::align_val_t kAlignment{64};
  auto* block = static_cast<real*>(::operator new(static_cast<size_t>(n) * sizeof(real), kAlignment));
  std::fill_n(block, n, real{0});
  return {block, [](real* memory) { ::operator delete(memory, kAlignment); }};
}

void pack_weights(const Layer& layer, const real* weight, int64_t width, real* packed) {
  const int64_t filter = layer.filter();
  const int64_t group =
      std::min<int64_t>(16, width);  // filters that are read together, so that whole lines are written
  for (int64_t k = 0; k < layer.channels; k += group) {
    const real* from = weight + k * filter;
    real* to = packed + k / width * width * filter + k % width;
    for (int64_t i = 0; i < filter; ++i)
      for (int64_t j = 0; j < group; ++j) to[i * width + j] = from[j * filter + i];
  }
}

}  // namespace crescendo::bench

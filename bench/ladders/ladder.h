// The ladder (docs/ladder.md): one convolution in eight versions, each with one more idea than the version
// before. This header has what all of them share.
//   y[n,p,q,k] = sum over r,s,c of x[n, p + r - 1, q + s - 1, c] * weight[k,r,s,c]
// x is zero outside its borders. Letters: n images; p q pixels; k c channels of the output and the input; r s
// filter rows and columns.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "kernels/real.h"

namespace crescendo::bench {

// A 3x3 filter of stride 1 and padding 1 over square images, with as many channels in as out.
struct Layer {
  int64_t images, size, channels;

  int64_t pixels() const { return size * size; }
  int64_t image() const { return pixels() * channels; }  // elements of one image, in x and in y
  int64_t filter() const { return 9 * channels; }        // weights of one output channel
  int64_t multiply_adds() const { return images * image() * filter(); }
};

// A call with x [images,size,size,channels], weight [channels,3,3,channels] and y, of x's shape.
// Each is 64-byte aligned.
using Convolution = std::function<void(const real*, const real*, real*)>;

struct Version {
  std::string name, idea;
  Convolution run;
  bool winograd = false;  // Winograd's algorithm has larger rounding errors
};

// Returns all versions, each with its workspace, from the slowest to the fastest.
std::vector<Version> versions(const Layer&);

Convolution loops(const Layer&);
Convolution loop_order(const Layer&);
Convolution pixel_in_registers(const Layer&);
Convolution tile_in_registers(const Layer&);
Convolution packed_panels(const Layer&);
Convolution winograd_whole(const Layer&);
Convolution winograd_blocks(const Layer&);
Convolution library(const Layer&);

using Memory = std::shared_ptr<real[]>;
// Returns n zeros, 64-byte aligned.
Memory allocate(int64_t n);

// Lays out the weights as [k / width][r][s][c][width]: panels of `width` output channels side by side.
void pack_weights(const Layer&, const real* weight, int64_t width, real* packed);

}  // namespace crescendo::bench

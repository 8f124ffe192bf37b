// The sizes of each kernel's operands, as plain structs: all that a kernel knows of a tensor.
// Letters: n images; h w c input rows, columns, channels; p q k those of the output; r s filter rows,
// columns.
#pragma once

#include <cstdint>

#include "kernels/step_counters.h"

namespace crescendo {

// x [n,h,w,c] * weight [k,r,s,c] -> y [n,p,q,k], without flipping the filter (cross-correlation):
//   y[n,p,q,k] = sum over r,s,c of x[n, p*stride_h + r - pad_top, q*stride_w + s - pad_left, c] *
//   weight[k,r,s,c]
// where x is zero outside its borders; bottom and right padding are whatever p and q reach.
struct Conv2dGeometry {
  int64_t n, h, w, c;
  int64_t p, q, k;
  int64_t r, s;
  int64_t stride_h, stride_w;
  int64_t pad_top, pad_left;
  int64_t ghost;  // images in a ghost batch; divides n wherever a weight gradient is computed

  int64_t multiply_adds() const { return n * p * q * k * r * s * c; }
  bool operator==(const Conv2dGeometry&) const = default;
};

// How convolutions are computed, which changes speed and rounding. On the processor, 3x3 of stride 1 or 2,
// and 1x3, 3x1, 1x7, 7x1 of stride 1: by Winograd's algorithm where that is faster, wherever it can, or
// never. On a GPU: by cuDNN (automatic), or in bf16 by kernels of our own, where they can.
enum class ConvolutionAlgorithm { automatic, winograd, direct, own };

// Windows of r x s pixels of x [n,h,w,c] -> y [n,p,q,c]; padding never wins a maximum.
struct Pool2dGeometry {
  int64_t n, h, w, c;
  int64_t p, q;
  int64_t r, s;
  int64_t stride_h, stride_w;
  int64_t pad_top, pad_left;
  bool count_padding;      // average pooling: divide by r*s always, or by the pixels inside the image only
  int64_t y_channels = 0;  // max pooling: of a pixel of y and dy, whose c channels these are; 0: c

  int64_t y_pixel() const { return y_channels != 0 ? y_channels : c; }
};

// x [n, pixels, c], normalised per channel over ghosts of `ghost` images
// (docs/derivations/ghost_batch_norm.md).
struct BatchNormGeometry {
  int64_t n, pixels, c;
  int64_t ghost;  // divides n
  double epsilon;
  bool relu;               // y = max(0, .) of the normalised value, and its gradient
  int64_t y_channels = 0;  // of a pixel of y and dy, whose c channels these are; 0: c

  int64_t ghosts() const { return n / ghost; }
  int64_t y_pixel() const { return y_channels != 0 ? y_channels : c; }
};

// x [n,in] * weight [out,in]^T (+ bias [out]) -> y [n,out]
struct LinearGeometry {
  int64_t n, in, out;
  int64_t ghost;  // divides n wherever a weight gradient is computed

  int64_t multiply_adds() const { return n * in * out; }
};

// dy [n, pixels, c], summed into one gradient per channel, ghost by ghost.
struct BiasGeometry {
  int64_t n, pixels, c;
  int64_t ghost;  // divides n
};

// `count` channels of each of `rows` rows, from one channel offset to another.
struct ChannelSlice {
  int64_t rows, count;
  int64_t from_channels, from_offset;
  int64_t to_channels, to_offset;
};

// logits [n,classes] against labels [n]; target = (1 - smoothing) one-hot + smoothing / classes.
struct CrossEntropyGeometry {
  int64_t n, classes;
  double smoothing;
};

// n images [h,w,3] out of a set of `images`, which a run goes through once an epoch.
struct ImageGather {
  int64_t n, h, w;
  int64_t images;
  uint64_t key;  // of the augmentation, by the run (rng.h)
  bool augment;  // kernels/augment.h; otherwise they are left as they are
};

// n samples of a micro-batch, counted ghost by ghost.
struct SampleCount {
  int64_t n;
  int64_t ghost;  // divides n
};

// Which elements dropout keeps: element i of image j is kept when Philox(key; element i, position of the
// image in the run, layer) < keep. So the mask does not depend on the micro-batch.
struct DropoutGeometry {
  int64_t n, elements;  // images, elements of one image
  uint64_t key;         // of the run (rng.h)
  uint32_t layer;
  double keep;  // probability in (0, 1]
};

// One update of all n parameters in the flat store. The first `decayed` of them are subject to weight decay.
struct OptimizerStep {
  int64_t n, decayed;
  double learning_rate;
  double weight_decay;    // L2: gradient + weight_decay * value
  double gradient_scale;  // 1 / batch: gradients arrive as sums over samples
  const StepCounters* counters =
      nullptr;  // in the backend's memory: where they have stopped, nothing is updated
};
struct MomentumStep : OptimizerStep {
  double momentum;
  bool nesterov;
};
struct AdamStep : OptimizerStep {
  double beta1, beta2, epsilon;
  int64_t update;  // 1 for the first
};

}  // namespace crescendo

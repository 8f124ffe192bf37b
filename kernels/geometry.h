// The sizes of each kernel's operands, as plain structs: all that a kernel knows of a tensor.
// Letters: n images; h w c rows, columns and channels of the input; p q k rows, columns and channels of the
// output; r s rows and columns of the filter.
#pragma once

#include <cstdint>

#include "kernels/step_counters.h"

namespace crescendo {

// x [n,h,w,c] * weight [k,r,s,c] -> y [n,p,q,k], without flipping the filter (cross-correlation):
//   y[n,p,q,k] = sum over r,s,c of
//                x[n, p*stride_h + r - pad_top, q*stride_w + s - pad_left, c] * weight[k,r,s,c]
// x is zero outside its borders. Bottom and right padding follow from p and q.
struct Conv2dGeometry {
  int64_t n, h, w, c;
  int64_t p, q, k;
  int64_t r, s;
  int64_t stride_h, stride_w;
  int64_t pad_top, pad_left;
  int64_t ghost;  // images in a ghost batch; divides n if a weight gradient is computed

  int64_t multiply_adds() const { return n * p * q * k * r * s * c; }
  bool operator==(const Conv2dGeometry&) const = default;
};

// Algorithm of the convolutions. The choice affects speed and rounding.
enum class ConvolutionAlgorithm {
  automatic,  // CPU: Winograd's algorithm where it is faster; GPU: cuDNN
  winograd,   // CPU: Winograd's algorithm wherever it is possible: 3x3 of stride 1 or 2; 1x3, 3x1, 1x7, 7x1
  direct,     // CPU: never Winograd's algorithm
  own         // GPU, in bf16: this project's kernels wherever they are possible
};

// Windows of r x s pixels of x [n,h,w,c] -> y [n,p,q,c]; padding never wins a maximum.
struct Pool2dGeometry {
  int64_t n, h, w, c;
  int64_t p, q;
  int64_t r, s;
  int64_t stride_h, stride_w;
  int64_t pad_top, pad_left;
  bool count_padding;      // average pooling: divide by r*s always, or by the pixels inside the image only
  int64_t y_channels = 0;  // max pooling: channels of a pixel of y and dy if they are a slice; 0: c

  int64_t y_pixel() const { return y_channels != 0 ? y_channels : c; }

  bool operator==(const Pool2dGeometry&) const = default;
};

// x [n, pixels, c], normalised per channel over ghost batches of `ghost` images.
struct BatchNormGeometry {
  int64_t n, pixels, c;
  int64_t ghost;  // divides n
  double epsilon;
  bool relu;               // y = max(0, normalised value)
  int64_t y_channels = 0;  // channels of a pixel of y and dy if they are a slice of larger pixels; 0: c

  int64_t elements() const { return n * pixels * c; }
  int64_t ghosts() const { return n / ghost; }
  int64_t y_pixel() const { return y_channels != 0 ? y_channels : c; }

  bool operator==(const BatchNormGeometry&) const = default;
};

// x [n,in] * weight [out,in]^T (+ bias [out]) -> y [n,out]
struct LinearGeometry {
  int64_t n, in, out;
  int64_t ghost;  // images in a ghost batch; divides n if a weight gradient is computed

  int64_t multiply_adds() const { return n * in * out; }

  bool operator==(const LinearGeometry&) const = default;
};

// dy [n, pixels, c], summed into one gradient per channel, one ghost batch after another.
struct BiasGeometry {
  int64_t n, pixels, c;
  int64_t ghost;  // images in a ghost batch; divides n

  bool operator==(const BiasGeometry&) const = default;
};

// A copy of `count` channels in each of `rows` rows: from channel from_offset on of rows with from_channels
// channels, to channel to_offset on of rows with to_channels channels.
struct ChannelSlice {
  int64_t rows, count;
  int64_t from_channels, from_offset;
  int64_t to_channels, to_offset;

  bool operator==(const ChannelSlice&) const = default;
};

// logits [n,classes] against labels [n]; target = (1 - smoothing) * one-hot + smoothing / classes.
struct CrossEntropyGeometry {
  int64_t n, classes;
  double smoothing;

  bool operator==(const CrossEntropyGeometry&) const = default;
};

// n images [h,w,3] of a data set of `images` images, all of which a run uses once an epoch.
struct ImageGather {
  int64_t n, h, w;
  int64_t images;
  uint64_t key;  // Philox key of the run's augmentation (base/rng.h)
  bool augment;  // flip and crop (kernels/augment.h)

  bool operator==(const ImageGather&) const = default;
};

// n samples of a micro-batch.
struct SampleCount {
  int64_t n;
  int64_t ghost;  // samples in a ghost batch; divides n

  bool operator==(const SampleCount&) const = default;
};

// Dropout keeps element i of an image if Philox(key; i, position of the image in the run, layer) < keep. So
// the mask does not depend on the micro-batch.
struct DropoutGeometry {
  int64_t n, elements;  // images, elements of one image
  uint64_t key;         // Philox key of the run's dropout (base/rng.h)
  uint32_t layer;
  double keep;  // probability in (0, 1]

  bool operator==(const DropoutGeometry&) const = default;
};

// One update of all n parameters in the flat store. The first `decayed` of them are subject to weight decay.
struct OptimizerStep {
  int64_t n, decayed;
  double learning_rate;
  double weight_decay;    // L2: gradient + weight_decay * value
  double gradient_scale;  // 1 / batch: gradients are sums over samples
  // In the backend's memory, or null. If they have stopped, nothing is updated.
  const StepCounters* counters = nullptr;

  bool operator==(const OptimizerStep&) const = default;
};
struct MomentumStep : OptimizerStep {
  double momentum;
  bool nesterov;

  bool operator==(const MomentumStep&) const = default;
};
struct AdamStep : OptimizerStep {
  double beta1, beta2, epsilon;
  int64_t update;  // 1 for the first

  bool operator==(const AdamStep&) const = default;
};

}  // namespace crescendo

// Every op: what it takes, what it gives, what it rejects (std::invalid_argument with the op and the shapes).
// Forward and backward of each stand side by side in engine/ops/<name>.cpp. Images are [n, h, w, c].
#pragma once

#include <span>

#include "engine/tape.h"

namespace crescendo {

struct Padding {
  int64_t top = 0, bottom = 0, left = 0, right = 0;
  static Padding all(int64_t size) { return {size, size, size, size}; }
};

struct Conv2dOptions {
  int64_t stride_h = 1, stride_w = 1;
  Padding padding{};
};

// What a convolution's result joins: act(residual + factor * result). A residual that is handed over, so that
// nobody else holds it, may give the result its memory outside of training.
struct ResidualSum {
  Tensor residual;  // of the result's shape; none: act(factor * result)
  double factor = 1;
  bool relu = false;  // act: max(0, .), or nothing
};

// x [n,h,w,c], weight [k,r,s,c], optional bias [k] -> [n,p,q,k], p = (h + top + bottom - r) / stride_h + 1
// rounded down.
Tensor conv2d(Tape&, const Tensor& x, const Tensor& weight, const Conv2dOptions& = {},
              const Tensor& bias = {}, ResidualSum = {});

struct BatchNormOptions {
  double epsilon = 1e-5;
  double momentum = 0.1;  // weight of the newest ghost in the running statistics
  bool relu = false;      // fused: max(0, .) of the result
};

// The running statistics [c] that training updates and evaluation uses; `pending` sums for mean_of_ghosts.
struct NormStatistics {
  Tensor running_mean, running_variance;
  Tensor pending_mean, pending_variance;
};

// x [n,h,w,c] or [n,c], scale and shift [c] -> the same shape. Training normalises each ghost batch by its
// own mean and biased variance (docs/derivations/ghost_batch_norm.md) and updates the running statistics;
// otherwise those are used. The residual, of x's shape, is optional: act(normalised x + residual). Without
// one, the result may have a place in a Concatenation.
Tensor ghost_batch_norm(Tape&, const Tensor& x, const Tensor& scale, const Tensor& shift,
                        const NormStatistics&, const BatchNormOptions& = {}, const Tensor& residual = {},
                        const Tensor& place = {});

// A norm before or behind a convolution: as the arguments of ghost_batch_norm.
struct NormLayer {
  Tensor scale, shift;
  NormStatistics statistics;
  BatchNormOptions options;
};

// conv2d(ghost_batch_norm(x), weight) + residual, the residual optional. Where the device has a kernel for
// it, the normalised x is never stored, and the result carries its moments for the norm that comes next.
Tensor norm_conv2d(Tape&, const Tensor& x, const NormLayer&, const Tensor& weight, const Conv2dOptions& = {},
                   const Tensor& residual = {});

// ghost_batch_norm(conv2d(x, weight), residual), the residual and the place optional; outside of training in
// one pass, and to the memory of a residual that nobody else holds.
Tensor conv2d_norm(Tape&, const Tensor& x, const Tensor& weight, const Conv2dOptions&, const NormLayer&,
                   Tensor residual = {}, const Tensor& place = {});

// Convolutions of one x with weights [k_i,1,1,c], of stride 1: as conv2d one by one, but that x is read, and
// its gradient written, once.
std::vector<Tensor> sibling_conv2d(Tape&, const Tensor& x, std::span<const Tensor> weights);

// As conv2d_norm one by one, with the results' places in a Concatenation or undefined; outside of training
// only.
struct SiblingNorm {
  Tensor weight;
  NormLayer norm;
  Tensor place;
};
std::vector<Tensor> sibling_conv2d_norm(Tape&, const Tensor& x, std::span<const SiblingNorm>);

Tensor relu(Tape&, const Tensor& x);
Tensor add(Tape&, const Tensor& a, const Tensor& b);                       // equal shapes
Tensor scale_add(Tape&, const Tensor& a, double factor, const Tensor& b);  // a + factor * b
Tensor concat_channels(Tape&, std::span<const Tensor> parts);  // [n,h,w,c0], [n,h,w,c1].. -> [n,h,w,c0+c1..]

// concat_channels of parts that are made one after another. Of a part that was made in its place neither
// values nor gradient are copied.
class Concatenation {
 public:
  // Of parts that will have this shape together.
  Concatenation(const Device&, const Shape& shape);
  // The place of a part that will have so many channels before it, for ops that take one; undefined on
  // devices that do not store among channels.
  Tensor place(int64_t first, int64_t channels) const;
  void add(const Tensor& part);
  Tensor result(Tape&) const;

 private:
  Tensor room_;  // for the result, or undefined
  std::vector<Tensor> parts_;
};

struct Pool2dOptions {
  int64_t window_h = 2, window_w = 2;
  int64_t stride_h = 2, stride_w = 2;
  Padding padding{};
  bool count_padding = true;  // average pooling only
};

Tensor max_pool2d(Tape&, const Tensor& x, const Pool2dOptions&, const Tensor& place = {});
Tensor average_pool2d(Tape&, const Tensor& x, const Pool2dOptions&);
Tensor global_average_pool(Tape&, const Tensor& x);  // [n,h,w,c] -> [n,c]

// x [n,in], weight [out,in], optional bias [out] -> [n,out].
Tensor linear(Tape&, const Tensor& x, const Tensor& weight, const Tensor& bias = {});

// Keeps each element with probability `keep` in (0, 1] and divides it by `keep`; identity off training.
// `layer` tells the model's dropout layers apart.
Tensor dropout(Tape&, const Tensor& x, double keep, uint32_t layer);

struct CrossEntropy {
  Tensor losses;   // [n], real: one a sample; their gradient is seeded by Tape::backward
  Tensor correct;  // [n], index: 1 where the largest logit is the label's
};

// logits [n,classes], labels [n] (index). smoothing in [0, 1): target (1 - smoothing) one-hot + smoothing /
// classes.
CrossEntropy softmax_cross_entropy(Tape&, const Tensor& logits, const Tensor& labels, double smoothing = 0);

}  // namespace crescendo

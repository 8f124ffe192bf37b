// Every op: the shapes it takes and the shape it returns. Ops throw std::invalid_argument, naming the op and
// the shapes, if these do not fit. Forward and backward of an op are side by side in engine/ops/<name>.cpp.
// Images are [n, h, w, c].
//
// `residual`: a tensor of the result's shape that is added to the result; undefined: none.
// `destination`: a Concatenation::slice() to write the result to; undefined: new memory.
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

// The sum that a convolution's result becomes part of: act(residual + factor * result). Outside of training
// the sum may reuse the residual's memory if the caller moves the residual in.
struct ResidualSum {
  Tensor residual;  // of the result's shape; undefined: act(factor * result)
  double factor = 1;
  bool relu = false;  // act is max(0, .) if true, else identity
};

// x [n,h,w,c], weight [k,r,s,c], optional bias [k] -> [n,p,q,k], where, rounded down,
//   p = (h + top + bottom - r) / stride_h + 1,  q = (w + left + right - s) / stride_w + 1
Tensor conv2d(Tape&, const Tensor& x, const Tensor& weight, const Conv2dOptions& = {},
              const Tensor& bias = {}, ResidualSum = {});

struct BatchNormOptions {
  double epsilon = 1e-5;
  double momentum = 0.1;  // weight of the newest ghost batch in the running statistics
  bool relu = false;      // the result is max(0, .)
};

// Running statistics [c]: training updates them, evaluation uses them. The pending ones are the sums over an
// update, as reals for RunningStatistics::mean_of_ghosts, or as exact sums, from which the end of the update
// makes the running ones.
struct NormStatistics {
  Tensor running_mean, running_variance;
  Tensor pending_mean, pending_variance;
};

// The mean and the biased variance [ghosts,c] of each ghost batch of a tensor.
struct Moments {
  Tensor mean, variance;
};

// A tensor and, if the op that made it computed them, its moments. A norm then need not compute them.
struct TensorWithMoments {
  Tensor tensor;
  Moments moments;  // undefined tensors if not computed

  // Converts implicitly, because any tensor is one.
  TensorWithMoments(Tensor values, Moments known = {})
      : tensor(std::move(values)), moments(std::move(known)) {}
};

// x [n,h,w,c] or [n,c], scale and shift [c] -> act(norm(x) + residual), of the same shape. Training
// normalises each ghost batch by its own mean and biased variance (docs/derivations/ghost_batch_norm.md) and
// updates the running statistics. Evaluation normalises by the running statistics.
// A destination excludes a residual.
Tensor ghost_batch_norm(Tape&, const TensorWithMoments& x, const Tensor& scale, const Tensor& shift,
                        const NormStatistics&, const BatchNormOptions& = {}, const Tensor& residual = {},
                        const Tensor& destination = {});

// The norm before or after a convolution: the arguments of ghost_batch_norm.
struct NormLayer {
  Tensor scale, shift;
  NormStatistics statistics;
  BatchNormOptions options;
};

// conv2d(ghost_batch_norm(x), weight) + residual. If the device has a kernel for it, the normalised x is
// never stored, and training computes the result's moments on the way.
TensorWithMoments norm_conv2d(Tape&, const TensorWithMoments& x, const NormLayer&, const Tensor& weight,
                              const Conv2dOptions& = {}, const Tensor& residual = {});

// ghost_batch_norm(conv2d(x, weight), residual). Evaluation does it in one pass, and reuses the residual's
// memory if the caller moves the residual in. A destination excludes a residual.
Tensor conv2d_norm(Tape&, const Tensor& x, const Tensor& weight, const Conv2dOptions&, const NormLayer&,
                   Tensor residual = {}, const Tensor& destination = {});

// conv2d of one x with each weight [k_i,1,1,c], stride 1. The results have the bits of conv2d one by one, but
// x is read, and its gradient written, once.
std::vector<Tensor> sibling_conv2d(Tape&, const Tensor& x, std::span<const Tensor> weights);

struct SiblingNorm {
  Tensor weight;  // [k_i,1,1,c]
  NormLayer norm;
  Tensor destination;
};
// conv2d_norm of one x for each sibling. Throws std::invalid_argument in training.
std::vector<Tensor> sibling_conv2d_norm(Tape&, const Tensor& x, std::span<const SiblingNorm>);

Tensor relu(Tape&, const Tensor& x);  // max(0, x), of x's shape; NaN stays NaN
Tensor add(Tape&, const Tensor& a, const Tensor& b, double factor = 1);  // a + factor * b, of equal shapes
Tensor concat_channels(Tape&, std::span<const Tensor> parts);  // [n,h,w,c0], [n,h,w,c1].. -> [n,h,w,c0+c1..]

// A concat_channels whose parts are made one after another. A part that was written to its slice is never
// copied, nor is its gradient.
class Concatenation {
 public:
  // `shape` is the shape of the result.
  Concatenation(const Device&, const Shape& shape);
  // Returns channels [first, first + channels) of the result, for ops that take a destination. Returns an
  // undefined tensor on devices that cannot store among channels.
  Tensor slice(int64_t first, int64_t channels) const;
  // Adds the next part. Parts follow one another in the result in the order of these calls.
  void add(const Tensor& part);
  // Returns the concatenation. Throws std::invalid_argument if the parts do not make up the shape.
  Tensor result(Tape&) const;

 private:
  Shape shape_;
  Tensor result_;  // undefined on devices that cannot store among channels
  std::vector<Tensor> parts_;
};

struct Pool2dOptions {
  int64_t window_h = 2, window_w = 2;
  int64_t stride_h = 2, stride_w = 2;
  Padding padding{};
  bool count_padding = true;  // average pooling: divide by all pixels of the window, or by those in x only
};

// x [n,h,w,c] -> [n,p,q,c], with p and q as in conv2d.
// Padding must be smaller than the window and never wins a maximum.
Tensor max_pool2d(Tape&, const Tensor& x, const Pool2dOptions&, const Tensor& destination = {});
Tensor average_pool2d(Tape&, const Tensor& x, const Pool2dOptions&);
Tensor global_average_pool(Tape&, const Tensor& x);  // [n,h,w,c] -> [n,c]

// x [n,in], weight [out,in], optional bias [out] -> [n,out].
Tensor linear(Tape&, const Tensor& x, const Tensor& weight, const Tensor& bias = {});

// Keeps each element of x [n,...] with probability `keep` in (0, 1] and divides it by `keep`; the others
// become 0. Returns x itself outside of training, or if `keep` is 1.
// `layer` tells a model's dropout layers apart.
Tensor dropout(Tape&, const Tensor& x, double keep, uint32_t layer);

struct CrossEntropy {
  Tensor losses;   // [n], real: one per sample; the argument of Tape::backward
  Tensor correct;  // [n], index: 1 where the largest logit is the label's
};

// logits [n,classes], labels [n] (index), smoothing in [0, 1). The target is
// (1 - smoothing) * one-hot + smoothing / classes.
CrossEntropy softmax_cross_entropy(Tape&, const Tensor& logits, const Tensor& labels, double smoothing = 0);

}  // namespace crescendo

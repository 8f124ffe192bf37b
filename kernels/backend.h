// Every kernel of the engine and its contract: one virtual function each, implemented once per backend.
//
// Conventions. Activations are NHWC, weights [out, r, s, in]. `Write` says whether an output is replaced or
// added to; without it, it is replaced. Gradients are defined by one sentence: let f = sum(y * dy); the
// kernel writes (or adds) df/dx to dx. Kernels allocate nothing, check nothing (the op did), and return at
// once when any size is zero. The shape of every reduction follows from the geometry alone: results do not
// depend on the number of threads, and a parameter's gradient is the sum, in order, of those of its ghost
// batches, so it does not depend on the micro-batch either. Pointers are the backend's memory unless the
// comment says host.
#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "kernels/geometry.h"
#include "kernels/real.h"

namespace crescendo {

// What a normalisation reads besides its input: parameters [c] and statistics [ghosts,c].
struct NormOperands {
  const real *scale, *shift, *mean, *variance;
};

// What becomes of a convolution's sums before they are stored:
//   y = act(norm(sum) + residual), or, without a norm, act(factor * (sum + bias) + residual)
// act is ReLU where `relu`, else identity.
struct ConvolutionEpilogue {
  const real* bias = nullptr;  // [k], or null
  double factor = 1;
  std::optional<NormOperands> norm{};    // its statistics are [1,k]
  double epsilon = 0;                    // of the norm
  const activation* residual = nullptr;  // [n,p,q,k], or null
  bool relu = false;
  int64_t y_channels = 0;  // of a pixel of y, whose k channels these are; 0: k. Without a residual.

  bool does_nothing() const {
    return bias == nullptr && factor == 1 && !norm && residual == nullptr && !relu;
  }
};

// A convolution's weights [k,r,s,c].
struct ConvolutionWeight {
  const activation* values = nullptr;
  const real* packed = nullptr;  // what pack_weight made of them, or null
};

// One of several convolutions of one x, with 1x1 filters of stride 1 and no padding; and what it adds to the
// gradient of x.
struct SiblingConvolution {
  Conv2dGeometry geometry;
  ConvolutionWeight weight;
  ConvolutionEpilogue epilogue;
  activation* y;
};
struct SiblingGradient {
  Conv2dGeometry geometry;
  const activation *dy, *weight;
};

// A set of images in the backend's memory: bytes [images,3,h,w], labels [images]; the order [2,images] of the
// newest even and odd epoch; and what each byte of a channel becomes, table [3,256].
struct ImageSet {
  const uint8_t* bytes;
  const int32_t *labels, *orders;
  const float* table;
};

// Kernels that were captured with their arguments.
class KernelGraph {
 public:
  KernelGraph() = default;
  KernelGraph(const KernelGraph&) = delete;
  KernelGraph& operator=(const KernelGraph&) = delete;
  virtual ~KernelGraph() = default;
  virtual void launch() = 0;
};

// Copies from the host, beside which kernels run: to memory that kernels then take them from.
class StagedUpload {
 public:
  StagedUpload() = default;
  StagedUpload(const StagedUpload&) = delete;
  StagedUpload& operator=(const StagedUpload&) = delete;
  virtual ~StagedUpload() = default;  // waits

  // Memory of the host to copy from. May be asked for by any thread, one at a time, and outlive this.
  virtual std::shared_ptr<void> host_memory(size_t bytes) = 0;
  // Copies from such memory once the kernels called before the last taken() are done; at first, those called
  // before this was opened. Kernels called from now on find the copy.
  virtual void start(const void* host, void* to, size_t bytes) = 0;
  // Kernels called from now on do not read what was copied.
  virtual void taken() = 0;
  // Returns when what was started is copied: the host may write to its memory again.
  virtual void wait() = 0;
};

class Backend {
 public:
  Backend() = default;
  Backend(const Backend&) = delete;
  Backend& operator=(const Backend&) = delete;
  virtual ~Backend() = default;

  virtual std::string name() const = 0;

  // ---- Memory. Blocks are 64-byte aligned; allocate throws std::bad_alloc.
  virtual bool is_host() const = 0;             // whether the host can read it
  virtual size_t free_memory() const = 0;       // bytes
  virtual size_t activation_bytes() const = 0;  // of one element
  virtual void* allocate(size_t bytes) = 0;
  virtual void release(void* block, size_t bytes) = 0;
  virtual void upload(const void* host, void* to, size_t bytes) = 0;
  virtual void download(const void* from, void* host, size_t bytes) = 0;
  virtual void upload_activations(int64_t n, const float* host, activation* to) = 0;
  virtual void download_activations(int64_t n, const activation* from, real* host) = 0;
  // null where memory is the host's
  virtual std::unique_ptr<StagedUpload> open_upload() = 0;

  // ---- Workspace. Before a kernel runs, its op reserves what any pass over that geometry needs; the largest
  // reservation is kept.
  virtual size_t workspace(const Conv2dGeometry&) const = 0;
  virtual size_t workspace(const BatchNormGeometry&) const = 0;
  virtual size_t workspace(const Conv2dGeometry&, const BatchNormGeometry&) const = 0;
  virtual size_t workspace(const LinearGeometry&) const = 0;
  virtual size_t workspace(const BiasGeometry&) const = 0;
  virtual void reserve_workspace(size_t bytes) = 0;

  // ---- Replay. Calls `work` and keeps the kernels it calls, with their arguments, instead of running them;
  // null, and `work` not called, in a backend that gains nothing by it. `work` must not move memory's
  // contents between host and backend, nor be the first to reserve workspace.
  virtual std::unique_ptr<KernelGraph> capture(const std::function<void()>& work) = 0;

  // ---- Convolution. x [n,h,w,c], weight [k,r,s,c], y [n,p,q,k].
  // Whether sums are finished before they are stored: y may then be the epilogue's residual, or some channels
  // of larger pixels.
  virtual bool finishes_before_storing() const = 0;
  // Weights as conv2d_forward lays them out before it multiplies, for those who keep them from call to call
  // while they do not change: reals, as many and the same for any n; 0 where nothing is gained.
  virtual int64_t packed_weight_size(const Conv2dGeometry&) const = 0;
  virtual void pack_weight(const Conv2dGeometry&, const activation* weight, real* packed) = 0;
  virtual void conv2d_forward(const Conv2dGeometry&, const activation* x, const ConvolutionWeight&,
                              const ConvolutionEpilogue&, activation* y) = 0;
  virtual void conv2d_backward_data(const Conv2dGeometry&, const activation* dy, const activation* weight,
                                    activation* dx, Write) = 0;
  virtual void conv2d_backward_weight(const Conv2dGeometry&, const activation* x, const activation* dy,
                                      real* dweight, Write) = 0;

  // ---- Sibling convolutions: each as above, to the bit, and gradients in their order. One after another,
  // unless a backend reads x, and writes dx, once for all.
  virtual size_t sibling_workspace(std::span<const Conv2dGeometry> siblings) const {
    size_t most = 0;
    for (const Conv2dGeometry& g : siblings) most = std::max(most, workspace(g));
    return most;
  }
  virtual void sibling_conv2d_forward(const activation* x, std::span<const SiblingConvolution> siblings) {
    for (const auto& [g, weight, epilogue, y] : siblings) conv2d_forward(g, x, weight, epilogue, y);
  }
  virtual void sibling_conv2d_backward_data(std::span<const SiblingGradient> siblings, activation* dx,
                                            Write write) {
    for (const auto& [g, dy, weight] : siblings) {
      conv2d_backward_data(g, dy, weight, dx, write);
      write = Write::add;
    }
  }

  // ---- Convolution of a normalised input, for the geometries that fuses_norm names: the normalised x is
  // computed on the way in and never stored.
  //   y = conv2d(act(normalised x)) + residual, residual [n,p,q,k] or null
  // y_mean, y_variance [ghosts,k]: the moments of y, as ghost_moments has them; null where not wanted.
  virtual bool fuses_norm(const Conv2dGeometry&) const = 0;
  virtual void norm_conv2d_forward(const Conv2dGeometry&, const BatchNormGeometry&, const activation* x,
                                   const NormOperands&, const activation* weight, const activation* residual,
                                   activation* y, real* y_mean, real* y_variance) = 0;
  virtual void norm_conv2d_backward_weight(const Conv2dGeometry&, const BatchNormGeometry&,
                                           const activation* x, const NormOperands&, const activation* dy,
                                           real* dweight, Write) = 0;
  // Through convolution and norm; `between` [n,h,w,c] is room for the gradient between the two.
  virtual void norm_conv2d_backward_data(const Conv2dGeometry&, const BatchNormGeometry&, const activation* x,
                                         const NormOperands&, const activation* dy, const activation* weight,
                                         activation* between, activation* dx, Write write_dx, real* dscale,
                                         real* dshift, Write write_parameters) = 0;

  // ---- Linear. x [n,in], weight [out,in], bias [out] or null, y [n,out].
  virtual void linear_forward(const LinearGeometry&, const activation* x, const activation* weight,
                              const real* bias, activation* y) = 0;
  virtual void linear_backward_data(const LinearGeometry&, const activation* dy, const activation* weight,
                                    activation* dx, Write) = 0;
  virtual void linear_backward_weight(const LinearGeometry&, const activation* x, const activation* dy,
                                      real* dweight, Write) = 0;

  // dbias[c] (=|+=) sum over n, pixels of dy[n,pixels,c]: the bias of a convolution or a linear layer.
  virtual void bias_backward(const BiasGeometry&, const activation* dy, real* dbias, Write) = 0;

  // Whether norms and max pools store y as some channels of larger pixels, where their geometry says so.
  virtual bool stores_among_channels() const = 0;

  // ---- Ghost batch norm. x, y, dx, dy [n,pixels,c]; scale, shift [c]; mean, variance (biased) [ghosts,c].
  //   y = act((x - mean) / sqrt(variance + epsilon) * scale + shift + residual), act = ReLU where
  //   geometry.relu, else identity; residual [n,pixels,c] or null
  // The statistics of each ghost batch.
  virtual void ghost_moments(const BatchNormGeometry&, const activation* x, real* mean, real* variance) = 0;
  // y may be x, unless it is channels among others.
  virtual void normalise(const BatchNormGeometry&, const activation* x, const NormOperands&,
                         const activation* residual, activation* y) = 0;
  // The gradient passes through the statistics; of y without a residual. dscale and dshift share one Write: a
  // layer's two parameters are always written together.
  virtual void ghost_batch_norm_backward(const BatchNormGeometry&, const activation* x, const activation* dy,
                                         const NormOperands&, activation* dx, Write write_dx, real* dscale,
                                         real* dshift, Write write_parameters) = 0;
  // For each ghost in order: running = keep * running + weight * statistic, with the unbiased variance
  // (times m / (m - 1), m = ghost * pixels; m = 1 leaves it 0).
  virtual void update_running_statistics(const BatchNormGeometry&, double keep, double weight,
                                         const real* mean, const real* variance, real* running_mean,
                                         real* running_variance) = 0;

  // ---- Pooling. x [n,h,w,c], y [n,p,q,c]; winners [n,p,q,c] holds h*W+w of each maximum (the first of
  // equals; NaN wins).
  virtual void max_pool2d_forward(const Pool2dGeometry&, const activation* x, activation* y,
                                  int32_t* winners) = 0;
  virtual void max_pool2d_backward(const Pool2dGeometry&, const activation* dy, const int32_t* winners,
                                   activation* dx, Write) = 0;
  virtual void average_pool2d_forward(const Pool2dGeometry&, const activation* x, activation* y) = 0;
  virtual void average_pool2d_backward(const Pool2dGeometry&, const activation* dy, activation* dx,
                                       Write) = 0;

  // ---- Pointwise, n elements (kernels/pointwise.h).
  virtual void relu_forward(int64_t n, const activation* x, activation* y) = 0;
  virtual void relu_backward(int64_t n, const activation* y, const activation* dy, activation* dx, Write) = 0;
  // y = a + factor * b
  virtual void scale_add(int64_t n, const activation* a, double factor, const activation* b,
                         activation* y) = 0;
  // dx (=|+=) factor * dy
  virtual void scale(int64_t n, double factor, const activation* dy, activation* dx, Write) = 0;
  // y (=|+=) x / keep where kept, 0 where dropped; its own gradient. Image 0 is at the counters' position in
  // the run, at 0 where they are null.
  virtual void dropout(const DropoutGeometry&, const StepCounters*, const activation* x, activation* y,
                       Write) = 0;
  // to[row, to_offset + i] (=|+=) from[row, from_offset + i]
  virtual void copy_channels(const ChannelSlice&, const activation* from, activation* to, Write) = 0;

  // ---- Loss. logits [n,classes], labels [n] in [0,classes), losses [n], correct [n]: 1 where the first
  // largest logit is the label's, else 0.
  virtual void softmax_cross_entropy_forward(const CrossEntropyGeometry&, const activation* logits,
                                             const int32_t* labels, real* losses, int32_t* correct) = 0;
  // dlogits (=|+=) dlosses[n] * (softmax(logits) - target)
  virtual void softmax_cross_entropy_backward(const CrossEntropyGeometry&, const activation* logits,
                                              const int32_t* labels, const real* dlosses, activation* dlogits,
                                              Write) = 0;

  // ---- Flat stores of n reals.
  virtual void fill(int64_t n, double value, real* to) = 0;
  virtual void fill_activations(int64_t n, double value, activation* to) = 0;
  // to = keep * to + weight * from
  virtual void blend(int64_t n, double keep, double weight, const real* from, real* to) = 0;
  // *result (=|+=) sum of squares, accumulated in double
  virtual void sum_of_squares(int64_t n, const real* x, double* result, Write) = 0;

  // ---- A run's samples.
  // The n samples from the counters' position on, images [n,h,w,3] and labels [n]: position p of the run is
  // image order[p % images] of epoch p / images.
  virtual void gather_images(const ImageGather&, const StepCounters*, const ImageSet&, activation* images,
                             int32_t* labels) = 0;
  // n samples as a loader leaves them, images [n,elements] and labels [n], as a micro-batch has them.
  virtual void convert_samples(int64_t n, int64_t elements, const float* images, const int32_t* labels,
                               activation* to_images, int32_t* to_labels) = 0;
  // Adds to loss the losses [n] of each ghost, summed in double, ghost by ghost in order; to correct the sum
  // of correct [n]; to position n.
  virtual void count_samples(const SampleCount&, const real* losses, const int32_t* correct,
                             StepCounters*) = 0;
  // Ends an update: stopped_at = position if one of the n gradients or the loss is infinite or NaN, unless it
  // is set already.
  virtual void check_finite(int64_t n, const real* gradients, StepCounters*) = 0;

  // ---- Optimizers. Nothing is written where step.counters, unless null, have stopped. g = gradient_scale *
  // gradient + weight_decay * value (decayed elements only), the learning rate outside the buffer. `copy`
  // receives the values in the activation type; null where activation is real. sgd: value -= learning_rate *
  // g
  virtual void sgd(const OptimizerStep&, const real* gradients, real* values, activation* copy) = 0;
  // velocity = momentum * velocity + g; value -= learning_rate * (nesterov ? g + momentum * velocity :
  // velocity)
  virtual void momentum(const MomentumStep&, const real* gradients, real* values, real* velocity,
                        activation* copy) = 0;
  // Kingma & Ba 2015, algorithm 1: first and second moments with bias correction; L2 weight decay in g
  virtual void adam(const AdamStep&, const real* gradients, real* values, real* first, real* second,
                    activation* copy) = 0;
};

}  // namespace crescendo

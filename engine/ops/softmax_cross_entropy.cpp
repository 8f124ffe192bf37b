// loss = -sum over classes of target * log softmax(logits),
// target = (1 - smoothing) * one-hot + smoothing / classes.
// Backward: dlogits = dloss * (softmax(logits) - target), with the softmax computed again.
// Saved: logits and labels.
#include "engine/ops.h"

namespace crescendo {

CrossEntropy softmax_cross_entropy(Tape& tape, const Tensor& logits, const Tensor& labels, double smoothing) {
  require(logits.shape().rank() == 2, "softmax_cross_entropy: logits must be [n, classes], got ",
          logits.shape());
  require(labels.shape() == Shape{logits.shape()[0]}, "softmax_cross_entropy: labels ", labels.shape(),
          " for logits ", logits.shape());
  require(smoothing >= 0 && smoothing < 1, "softmax_cross_entropy: smoothing must lie in [0, 1), got ",
          smoothing);
  const CrossEntropyGeometry g{logits.shape()[0], logits.shape()[1], smoothing};
  const Device& device = logits.device();
  const Tensor losses = Tensor::reals(device, {g.n});
  const Tensor correct = Tensor::indices(device, {g.n});
  device.run(SoftmaxCrossEntropyForward{.geometry = g,
                                        .logits = logits.as_activations(),
                                        .labels = labels.as_indices(),
                                        .losses = losses.as_reals(),
                                        .correct = correct.as_indices()});
  tape.record("softmax_cross_entropy", {logits}, losses, [=](const Tensor& dlosses) {
    const auto [dlogits, write] = logits.gradient_slot();
    device.run(SoftmaxCrossEntropyBackward{.geometry = g,
                                           .logits = logits.as_activations(),
                                           .labels = labels.as_indices(),
                                           .dlosses = dlosses.as_reals(),
                                           .dlogits = dlogits.as_activations(),
                                           .write = write});
  });
  return {losses, correct};
}

}  // namespace crescendo

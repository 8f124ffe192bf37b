// Several convolutions by 1x1 filters that read one x: y_i = x * w_i or, outside of training,
// y_i = act(norm_i(x * w_i)). Backward: dx = sum of dy_i * w_i, from the last i to the first; dw_i as in
// conv2d. Saved: x and all w_i.
#include "engine/ops/conv2d.h"
#include "engine/ops/ghost_batch_norm.h"

namespace crescendo {
namespace {

Conv2dGeometry sibling_geometry(const Tape& tape, const Tensor& x, const Tensor& weight) {
  const Conv2dGeometry g = conv2d_geometry(tape, x, weight, {});
  require(g.r == 1 && g.s == 1, "sibling_conv2d: filters must be 1 x 1, got ", weight.shape());
  return g;
}

}  // namespace

std::vector<Tensor> sibling_conv2d(Tape& tape, const Tensor& x, std::span<const Tensor> weights) {
  std::vector<Conv2dGeometry> geometries;
  for (const Tensor& weight : weights) geometries.push_back(sibling_geometry(tape, x, weight));
  std::vector<Tensor> results;
  if (weights.empty()) return results;
  const Device& device = x.device();
  SiblingConv2dForward call{.x = x.as_activations(), .siblings = {}};
  for (size_t i = 0; i < weights.size(); ++i) {
    const Conv2dGeometry& g = geometries[i];
    results.push_back(Tensor::activations(device, {g.n, g.p, g.q, g.k}));
    call.siblings.push_back(
        {.geometry = g, .weight = weight_for(tape, g, weights[i]), .y = results[i].as_activations()});
  }
  device.run(call);

  std::vector<std::vector<Tensor>> inputs;
  for (const Tensor& weight : weights) inputs.push_back({x, weight});
  tape.record("sibling_conv2d", inputs, results, [=](std::span<const Tensor> dys) {
    std::vector<SiblingGradient> gradients;
    for (size_t i = dys.size(); i-- > 0;) {
      if (!dys[i].defined()) continue;
      const Tensor& weight = inputs[i][1];
      gradients.push_back({geometries[i], dys[i].as_activations(), weight.as_activations()});
      if (!weight.needs_gradient()) continue;
      const auto [dw, write] = weight.gradient_slot();
      device.run(Conv2dBackwardWeight{.geometry = geometries[i],
                                      .x = x.as_activations(),
                                      .dy = dys[i].as_activations(),
                                      .dweight = dw.as_reals(),
                                      .write = write,
                                      .ghost_stride = weight.ghost_stride()});
    }
    if (!x.needs_gradient()) return;
    const auto [dx, write] = x.gradient_slot();
    device.run(SiblingConv2dBackwardData{.siblings = gradients, .dx = dx.as_activations(), .write = write});
  });
  return results;
}

std::vector<Tensor> sibling_conv2d_norm(Tape& tape, const Tensor& x, std::span<const SiblingNorm> layers) {
  require(!tape.is_training(), "sibling_conv2d_norm: training needs the statistics of each result first");
  const Device& device = x.device();
  std::vector<Tensor> results;
  if (layers.empty() || !device.backend().capabilities().finishes_before_storing) {
    for (const auto& [weight, norm, destination] : layers)
      results.push_back(conv2d_norm(tape, x, weight, {}, norm, {}, destination));
    return results;
  }
  SiblingConv2dForward call{.x = x.as_activations(), .siblings = {}};
  std::vector<std::vector<Tensor>> inputs;
  for (const auto& [weight, norm, destination] : layers) {
    const Conv2dGeometry g = sibling_geometry(tape, x, weight);
    const Tensor y = conv2d_norm_result(tape, device, g, {}, destination);
    results.push_back(y);
    inputs.push_back({x, weight, norm.scale, norm.shift});
    call.siblings.push_back({.geometry = g,
                             .weight = weight_for(tape, g, weight),
                             .epilogue = norm_epilogue(tape, y, norm, {}),
                             .y = y.as_channels().first});
  }
  device.run(call);
  tape.record("sibling_conv2d_norm", inputs, results, nullptr);
  return results;
}

}  // namespace crescendo

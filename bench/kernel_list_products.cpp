// Convolutions and linear layers.
#include "kernel_list_parts.h"

namespace crescendo::bench {
namespace {

int64_t inputs(const Conv2dGeometry& g) { return g.n * g.h * g.w * g.c; }
int64_t weights(const Conv2dGeometry& g) { return g.k * g.r * g.s * g.c; }
int64_t outputs(const Conv2dGeometry& g) { return g.n * g.p * g.q * g.k; }

Conv2dForward forward(const Conv2dGeometry& g, Operands& o) {
  return {.geometry = g,
          .x = o.activations(inputs(g)),
          .weight = {.values = o.activations(weights(g))},
          .y = o.activations(outputs(g))};
}

Conv2dBackwardData backward_data(const Conv2dGeometry& g, Operands& o) {
  return {.geometry = g,
          .dy = o.activations(outputs(g)),
          .weight = o.activations(weights(g)),
          .dx = o.activations(inputs(g)),
          .write = Write::overwrite};
}

Conv2dBackwardWeight backward_weight(const Conv2dGeometry& g, Operands& o) {
  return {.geometry = g,
          .x = o.activations(inputs(g)),
          .dy = o.activations(outputs(g)),
          .dweight = o.reals(weights(g)),
          .write = Write::overwrite};
}

// ---- Convolutions of a normalised input, with a residual and the moments of the result.

BatchNormGeometry norm_before(const Conv2dGeometry& g) {
  return {.n = g.n, .pixels = g.h * g.w, .c = g.c, .ghost = g.ghost, .epsilon = 1e-5, .relu = true};
}

NormConv2dForward norm_forward(const Conv2dGeometry& g, Operands& o) {
  const BatchNormGeometry norm = norm_before(g);
  return {.geometry = g,
          .norm_geometry = norm,
          .x = o.activations(inputs(g)),
          .norm = norm_operands(norm, o),
          .weight = o.activations(weights(g)),
          .residual = o.activations(outputs(g)),
          .y = o.activations(outputs(g)),
          .y_mean = o.reals(norm.ghosts() * g.k),
          .y_variance = o.reals(norm.ghosts() * g.k)};
}

NormConv2dBackwardWeight norm_backward_weight(const Conv2dGeometry& g, Operands& o) {
  const BatchNormGeometry norm = norm_before(g);
  return {.geometry = g,
          .norm_geometry = norm,
          .x = o.activations(inputs(g)),
          .norm = norm_operands(norm, o),
          .dy = o.activations(outputs(g)),
          .dweight = o.reals(weights(g)),
          .write = Write::overwrite};
}

NormConv2dBackwardData norm_backward_data(const Conv2dGeometry& g, Operands& o) {
  const BatchNormGeometry norm = norm_before(g);
  return {.geometry = g,
          .norm_geometry = norm,
          .x = o.activations(inputs(g)),
          .norm = norm_operands(norm, o),
          .dy = o.activations(outputs(g)),
          .weight = o.activations(weights(g)),
          .between = o.activations(inputs(g)),
          .dx = o.activations(inputs(g)),
          .write_dx = Write::overwrite,
          .dscale = o.reals(g.c),
          .dshift = o.reals(g.c),
          .write_parameters = Write::overwrite};
}

}  // namespace

void add_convolution(KernelList& list, const Conv2dGeometry& g, int times_in_model) {
  const auto add = [&](ConvolutionPass pass, const auto& make) {
    KernelBenchmark& kernel = bench::add(list, [g, make](Operands& o) { return make(g, o); });
    kernel.times_in_model = times_in_model;
    kernel.prepare_peer = [g, pass](Peer peer, int threads) {
      return peer_convolution(peer, pass, g, threads);
    };
  };
  add(ConvolutionPass::forward, forward);
  add(ConvolutionPass::backward_data, backward_data);
  add(ConvolutionPass::backward_weights, backward_weight);
}

void add_norm_convolution(KernelList& list, const Conv2dGeometry& g) {
  add(list, [g](Operands& o) { return norm_forward(g, o); });
  add(list, [g](Operands& o) { return norm_backward_data(g, o); });
  add(list, [g](Operands& o) { return norm_backward_weight(g, o); });
}

void add_linear(KernelList& list, const LinearGeometry& g) {
  add(list, [g](Operands& o) {
    return LinearForward{.geometry = g,
                         .x = o.activations(g.n * g.in),
                         .weight = o.activations(g.out * g.in),
                         .bias = o.reals(g.out),
                         .y = o.activations(g.n * g.out)};
  });
  add(list, [g](Operands& o) {
    return LinearBackwardData{.geometry = g,
                              .dy = o.activations(g.n * g.out),
                              .weight = o.activations(g.out * g.in),
                              .dx = o.activations(g.n * g.in),
                              .write = Write::overwrite};
  });
  add(list, [g](Operands& o) {
    return LinearBackwardWeight{.geometry = g,
                                .x = o.activations(g.n * g.in),
                                .dy = o.activations(g.n * g.out),
                                .dweight = o.reals(g.out * g.in),
                                .write = Write::overwrite};
  });
}

void add_bias(KernelList& list, const BiasGeometry& g) {
  add(list, [g](Operands& o) {
    return BiasBackward{.geometry = g,
                        .dy = o.activations(g.n * g.pixels * g.c),
                        .dbias = o.reals(g.c),
                        .write = Write::overwrite};
  });
}

}  // namespace crescendo::bench

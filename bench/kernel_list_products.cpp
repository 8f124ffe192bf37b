// Convolutions and linear layers.
#include "kernel_list.h"
#include "kernel_list_parts.h"
#include "operands.h"

namespace crescendo::bench {
namespace {

template <class Geometry>
void reserve(Backend& backend, const Geometry& geometry) {
  backend.reserve_workspace(backend.workspace(geometry));
}

struct ConvolutionOperands {
  Activations x, weight, y;
  ConvolutionOperands(Backend& backend, const Conv2dGeometry& g)
      : x(backend, g.n * g.h * g.w * g.c),
        weight(backend, g.k * g.r * g.s * g.c),
        y(backend, g.n * g.p * g.q * g.k) {
    reserve(backend, g);
  }
};

Work work_of(const Conv2dGeometry& g, ConvolutionPass pass) {
  return pass == ConvolutionPass::backward_weights ? work_of_weight_pass(g) : bench::work_of(g);
}

Call prepare_pass(Backend& b, const Conv2dGeometry& g, ConvolutionPass pass) {
  const ConvolutionOperands o(b, g);
  switch (pass) {
    case ConvolutionPass::forward:
      return [&b, g, o] { b.conv2d_forward(g, o.x, {o.weight}, {}, o.y); };
    case ConvolutionPass::backward_data:
      return [&b, g, o] { b.conv2d_backward_data(g, o.y, o.weight, o.x, Write::overwrite); };
    case ConvolutionPass::backward_weights:
      return [&b, g, o, dweight = Reals(b, g.k * g.r * g.s * g.c)] {
        b.conv2d_backward_weight(g, o.x, o.y, dweight, Write::overwrite);
      };
  }
  return {};
}

// What a norm needs besides the convolution's operands.
struct FusedOperands : ConvolutionOperands {
  BatchNormGeometry norm;
  Activations between;
  Reals scale, shift, mean, variance, y_mean, y_variance;
  FusedOperands(Backend& backend, const Conv2dGeometry& g)
      : ConvolutionOperands(backend, g),
        norm{.n = g.n, .pixels = g.h * g.w, .c = g.c, .ghost = g.ghost, .epsilon = 1e-5, .relu = true},
        between(backend, g.n * g.h * g.w * g.c),
        scale(backend, g.c),
        shift(backend, g.c),
        mean(backend, norm.ghosts() * g.c),
        variance(backend, norm.ghosts() * g.c),
        y_mean(backend, norm.ghosts() * g.k),
        y_variance(backend, norm.ghosts() * g.k) {
    backend.reserve_workspace(backend.workspace(g, norm));
  }
  NormOperands operands() const { return {scale, shift, mean, variance}; }
};

// The convolution alone where the backend has no kernel that takes the norm along.
Call prepare_fused(Backend& b, const Conv2dGeometry& g, ConvolutionPass pass) {
  if (!b.fuses_norm(g)) return prepare_pass(b, g, pass);
  const FusedOperands o(b, g);
  switch (pass) {
    case ConvolutionPass::forward:
      return [&b, g, o] {
        b.norm_conv2d_forward(g, o.norm, o.x, o.operands(), o.weight, o.y, o.y, o.y_mean, o.y_variance);
      };
    case ConvolutionPass::backward_data:
      return [&b, g, o, dscale = Reals(b, g.c), dshift = Reals(b, g.c),
              dx = Activations(b, g.n * g.h * g.w * g.c)] {
        b.norm_conv2d_backward_data(g, o.norm, o.x, o.operands(), o.y, o.weight, o.between, dx,
                                    Write::overwrite, dscale, dshift, Write::overwrite);
      };
    case ConvolutionPass::backward_weights:
      return [&b, g, o, dweight = Reals(b, g.k * g.r * g.s * g.c)] {
        b.norm_conv2d_backward_weight(g, o.norm, o.x, o.operands(), o.y, dweight, Write::overwrite);
      };
  }
  return {};
}

struct LinearOperands {
  Activations x, weight, y;
  LinearOperands(Backend& backend, const LinearGeometry& g)
      : x(backend, g.n * g.in), weight(backend, g.out * g.in), y(backend, g.n * g.out) {
    reserve(backend, g);
  }
};

}  // namespace

void add_convolution(KernelList& list, const Conv2dGeometry& g, int times_in_model) {
  const auto add = [&](const char* kernel, ConvolutionPass pass) {
    list.push_back(
        {.name = kernel + ("/" + text_of(g)),
         .work = work_of(g, pass),
         .times_in_model = times_in_model,
         .prepare = [g, pass](Backend& backend) { return prepare_pass(backend, g, pass); },
         .prepare_peer = [g, pass](Peer peer,
                                   int threads) { return peer_convolution(peer, pass, g, threads); }});
  };
  add("conv_forward", ConvolutionPass::forward);
  add("conv_backward_data", ConvolutionPass::backward_data);
  add("conv_backward_weights", ConvolutionPass::backward_weights);
}

void add_norm_convolution(KernelList& list, const Conv2dGeometry& g) {
  const auto add = [&](const char* kernel, ConvolutionPass pass) {
    bench::add(list, kernel, text_of(g), work_of(g, pass),
               [g, pass](Backend& backend) { return prepare_fused(backend, g, pass); });
  };
  add("norm_conv_forward", ConvolutionPass::forward);
  add("norm_conv_backward_data", ConvolutionPass::backward_data);
  add("norm_conv_backward_weights", ConvolutionPass::backward_weights);
}

void add_linear(KernelList& list, const LinearGeometry& g) {
  const Work work = work_of(g);
  add(list, "linear_forward", text_of(g), work, [g](Backend& b) -> Call {
    return [&b, g, o = LinearOperands(b, g), bias = Reals(b, g.out)] {
      b.linear_forward(g, o.x, o.weight, bias, o.y);
    };
  });
  add(list, "linear_backward_data", text_of(g), work, [g](Backend& b) -> Call {
    return [&b, g, o = LinearOperands(b, g)] {
      b.linear_backward_data(g, o.y, o.weight, o.x, Write::overwrite);
    };
  });
  add(list, "linear_backward_weight", text_of(g), work_of_weight_pass(g), [g](Backend& b) -> Call {
    return [&b, g, o = LinearOperands(b, g), dweight = Reals(b, g.out * g.in)] {
      b.linear_backward_weight(g, o.x, o.y, dweight, Write::overwrite);
    };
  });
}

void add_bias(KernelList& list, const BiasGeometry& g) {
  add(list, "bias_backward", text_of(g), work_of(g), [g](Backend& b) -> Call {
    reserve(b, g);
    return [&b, g, dy = Activations(b, g.n * g.pixels * g.c), dbias = Reals(b, g.c)] {
      b.bias_backward(g, dy, dbias, Write::overwrite);
    };
  });
}

}  // namespace crescendo::bench

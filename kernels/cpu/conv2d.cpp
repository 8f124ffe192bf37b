// Forward and backward data, both as the same convolution (gather_convolution.h), and backward weights.
#include "kernels/cpu/conv2d_direct.h"
#include "kernels/cpu/conv2d_weight.h"
#include "kernels/cpu/conv2d_weight_few.h"
#include "kernels/cpu/conv2d_winograd.h"
#include "kernels/cpu/conv2d_winograd_weight.h"
#include "kernels/cpu/cpu_backend.h"
#include "kernels/cpu/pack_weights.h"
#include "kernels/cpu/simd.h"

namespace crescendo::CRESCENDO_CPU {

namespace {

// How a backend computes convolutions.
struct Means {
  ConvolutionAlgorithm algorithm;
  int threads;
  real* workspace;
};

void convolve(const Gather& gather, const Means& means, const real* source, const real* weight,
              const Epilogue& epilogue, real* target, Write write) {
  const GatherConvolution& d = gather.convolution;
  target += gather.target;
  if (uses_winograd(d, means.algorithm)) {
    pack_winograd(gather, means.threads, weight, means.workspace);
    run_winograd(d, means.threads, source, means.workspace, epilogue,
                 means.workspace + winograd_weights_size(d), target, write);
  } else {
    pack_direct(gather, means.threads, weight, means.workspace);
    run_direct(d, means.threads, source, means.workspace, epilogue, means.workspace + packed_size(d), target,
               write);
  }
}

// In one piece by Winograd's algorithm, otherwise phase by phase.
std::vector<Gather> backward(const Conv2dGeometry& g, ConvolutionAlgorithm algorithm) {
  if (g.stride_h == g.stride_w) {
    const Gather whole = gather_backward_whole(g);
    if (uses_winograd(whole.convolution, algorithm)) return {whole};
  }
  return gather_backward(g);
}

// Target pixels side by side, of so many elements.
void set_target_pixel(GatherConvolution& d, int64_t size) {
  d.target_pixel = size;
  d.target_row = d.columns * d.target_pixel;
  d.target_image = d.rows * d.target_row;
}

bool is_empty(const Conv2dGeometry& g) { return g.n * g.h * g.w * g.c * g.p * g.q * g.k == 0; }

}  // namespace

size_t CpuBackend::workspace(const Conv2dGeometry& g) const {
  const int64_t weight = uses_winograd_weight(g, convolution_) ? winograd_weight_workspace(g, threads_)
                         : uses_few_weight(g)                  ? few_weight_workspace(g, threads_)
                                                               : weight_workspace(g, threads_);
  int64_t size = weight;
  const auto reserve = [&](const GatherConvolution& d) {
    size = std::max(size, uses_winograd(d, convolution_)
                              ? winograd_weights_size(d) + threads_ * winograd_scratch_size(d)
                              : packed_size(d) + threads_ * direct_scratch_size(d));
  };
  reserve(gather_forward(g).convolution);
  size += epilogue_size(g.k);
  for (const Gather& piece : backward(g, convolution_)) reserve(piece.convolution);
  return static_cast<size_t>(size) * sizeof(real);
}

void CpuBackend::conv2d_forward(const Conv2dGeometry& g, const activation* x, const activation* weight,
                                const ConvolutionEpilogue& epilogue, activation* y) {
  if (is_empty(g)) return;
  real* constants = workspace_as<real>();
  Gather gather = gather_forward(g);
  if (epilogue.y_channels != 0) set_target_pixel(gather.convolution, epilogue.y_channels);
  convolve(gather, {convolution_, threads_, constants + epilogue_size(g.k)}, values_of(x), values_of(weight),
           make_epilogue(epilogue, g.k, constants), values_of(y), Write::overwrite);
}

void CpuBackend::conv2d_backward_data(const Conv2dGeometry& g, const activation* dy, const activation* weight,
                                      activation* dx, Write write) {
  if (is_empty(g)) return;
  for (const Gather& piece : backward(g, convolution_)) {
    if (piece.convolution.taps() == 0 && write == Write::add) continue;
    convolve(piece, {convolution_, threads_, workspace_as<real>()}, values_of(dy), values_of(weight), {},
             values_of(dx), write);
  }
}

void CpuBackend::conv2d_backward_weight(const Conv2dGeometry& g, const activation* x, const activation* dy,
                                        real* dweight, Write write) {
  if (is_empty(g)) return;
  for (int64_t image = 0; image < g.n; image += g.ghost, write = Write::add) {
    const real* from = values_of(x) + image * g.h * g.w * g.c;
    const real* gradients = values_of(dy) + image * g.p * g.q * g.k;
    if (uses_winograd_weight(g, convolution_))
      winograd_weight_gradient(g, threads_, from, winograd::AsTheyAre(), gradients, workspace_as<real>(),
                               dweight, write);
    else if (uses_few_weight(g))
      few_weight_gradient(g, threads_, from, gradients, workspace_as<real>(), dweight, write);
    else
      ghost_weight_gradient(g, threads_, from, gradients, workspace_as<real>(), dweight, write);
  }
}

}  // namespace crescendo::CRESCENDO_CPU

// Forward and backward data, both as the same convolution (gather_convolution.h), and backward weights.
#include <vector>

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
};

// Elements of the packed weights.
int64_t weights_size(const GatherConvolution& d, ConvolutionAlgorithm algorithm) {
  return uses_winograd(d, algorithm) ? winograd_weights_size(d) : packed_size(d);
}

void pack(const Gather& gather, const Means& means, const real* weight, real* packed) {
  const bool winograd = uses_winograd(gather.convolution, means.algorithm);
  (winograd ? pack_winograd : pack_direct)(gather, means.threads, weight, packed);
}

// `scratch` is what the algorithm needs.
void convolve(const Gather& gather, const Means& means, const real* source, const real* packed,
              const Epilogue& epilogue, real* scratch, real* target, Write write) {
  const GatherConvolution& d = gather.convolution;
  target += gather.target;
  if (uses_winograd(d, means.algorithm))
    return run_winograd(d, means.threads, source, packed, epilogue, scratch, target, write);
  const DirectConvolution alone{d, source, packed, epilogue, target, write};
  run_direct(std::span(&alone, 1), means.threads, scratch);
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
    const int64_t scratch =
        uses_winograd(d, convolution_) ? winograd_scratch_size(d) : direct_scratch_size(d);
    size = std::max(size, weights_size(d, convolution_) + threads_ * scratch);
  };
  reserve(gather_forward(g).convolution);
  size += epilogue_size(g.k);
  for (const Gather& piece : backward(g, convolution_)) reserve(piece.convolution);
  return static_cast<size_t>(size) * sizeof(real);
}

int64_t CpuBackend::packed_weight_size(const Conv2dGeometry& g) const {
  return is_empty(g) ? 0 : weights_size(gather_forward(g).convolution, convolution_);
}

void CpuBackend::pack_weight(const Conv2dGeometry& g, const activation* weight, real* packed) {
  if (is_empty(g)) return;
  pack(gather_forward(g), {convolution_, threads_}, values_of(weight), packed);
}

void CpuBackend::conv2d_forward(const Conv2dGeometry& g, const activation* x, const ConvolutionWeight& weight,
                                const ConvolutionEpilogue& epilogue, activation* y) {
  if (is_empty(g)) return;
  Gather gather = gather_forward(g);
  if (epilogue.y_channels != 0) set_target_pixel(gather.convolution, epilogue.y_channels);
  const Means means{convolution_, threads_};
  real* constants = workspace_as<real>();
  real* rest = constants + epilogue_size(g.k);
  if (weight.packed == nullptr) pack(gather, means, values_of(weight.values), rest);
  convolve(gather, means, values_of(x), weight.packed == nullptr ? rest : weight.packed,
           make_epilogue(epilogue, g.k, constants), rest + weights_size(gather.convolution, convolution_),
           values_of(y), Write::overwrite);
}

void CpuBackend::conv2d_backward_data(const Conv2dGeometry& g, const activation* dy, const activation* weight,
                                      activation* dx, Write write) {
  if (is_empty(g)) return;
  const Means means{convolution_, threads_};
  real* packed = workspace_as<real>();
  for (const Gather& piece : backward(g, convolution_)) {
    if (piece.convolution.taps() == 0 && write == Write::add) continue;
    pack(piece, means, values_of(weight), packed);
    convolve(piece, means, values_of(dy), packed, {}, packed + weights_size(piece.convolution, convolution_),
             values_of(dx), write);
  }
}

// ---- Siblings: 1x1 filters, which only the direct algorithm computes, and of which all have the same target
// pixels in either direction.

size_t CpuBackend::sibling_workspace(std::span<const Conv2dGeometry> siblings) const {
  int64_t packed = 0, scratch = 0;
  for (const Conv2dGeometry& g : siblings) {
    const GatherConvolution forward = gather_forward(g).convolution,
                            backward = gather_backward_whole(g).convolution;
    packed += epilogue_size(g.k) + std::max(packed_size(forward), packed_size(backward));
    scratch = std::max({scratch, direct_scratch_size(forward), direct_scratch_size(backward)});
  }
  return static_cast<size_t>(packed + threads_ * scratch) * sizeof(real);
}

void CpuBackend::sibling_conv2d_forward(const activation* x, std::span<const SiblingConvolution> siblings) {
  real* rest = workspace_as<real>();
  std::vector<DirectConvolution> all;
  for (const auto& [g, weight, epilogue, y] : siblings) {
    if (is_empty(g)) continue;
    Gather gather = gather_forward(g);
    if (epilogue.y_channels != 0) set_target_pixel(gather.convolution, epilogue.y_channels);
    const Epilogue made = make_epilogue(epilogue, g.k, rest);
    rest += epilogue_size(g.k);
    const real* packed = weight.packed;
    if (packed == nullptr) {
      pack_direct(gather, threads_, values_of(weight.values), rest);
      packed = rest;
      rest += packed_size(gather.convolution);
    }
    all.push_back({gather.convolution, values_of(x), packed, made, values_of(y), Write::overwrite});
  }
  if (!all.empty()) run_direct(all, threads_, rest);
}

void CpuBackend::sibling_conv2d_backward_data(std::span<const SiblingGradient> siblings, activation* dx,
                                              Write write) {
  real* rest = workspace_as<real>();
  std::vector<DirectConvolution> all;
  for (const auto& [g, dy, weight] : siblings) {
    if (is_empty(g)) continue;
    const Gather gather = gather_backward_whole(g);
    pack_direct(gather, threads_, values_of(weight), rest);
    all.push_back({gather.convolution, values_of(dy), rest, {}, values_of(dx), write});
    rest += packed_size(gather.convolution);
    write = Write::add;
  }
  if (!all.empty()) run_direct(all, threads_, rest);
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

// Convolutions: forward and backward data,
// both as gather convolutions (gather_convolution.h), and backward weights.
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

// The backend's settings for convolutions.
struct ConvolutionSettings {
  ConvolutionAlgorithm algorithm;
  const Threads& threads;
};

// Returns the number of elements of the packed weights.
int64_t weights_size(const GatherConvolution& d, ConvolutionAlgorithm algorithm) {
  return uses_winograd(d, algorithm) ? winograd_weights_size(d) : packed_size(d);
}

// Lays out the weights for the algorithm that computes the convolution.
void pack(const Gather& gather, const ConvolutionSettings& settings, const real* weight, real* packed) {
  const bool winograd = uses_winograd(gather.convolution, settings.algorithm);
  (winograd ? pack_winograd : pack_direct)(gather, settings.threads, weight, packed);
}

// Computes the convolution. `scratch` has room for what the algorithm needs.
void convolve(const Gather& gather, const ConvolutionSettings& settings, const real* source,
              const real* packed, const Epilogue& epilogue, real* scratch, real* target, Write write) {
  const GatherConvolution& d = gather.convolution;
  target += gather.target;
  if (uses_winograd(d, settings.algorithm))
    return run_winograd(d, settings.threads, source, packed, epilogue, scratch, target, write);
  const DirectConvolution alone{d, source, packed, epilogue, target, write};
  run_direct(std::span(&alone, 1), settings.threads, scratch);
}

// Returns the convolutions that make up the backward data pass: a single one for Winograd's algorithm,
// otherwise one for each phase.
std::vector<Gather> backward(const Conv2dGeometry& g, ConvolutionAlgorithm algorithm) {
  if (g.stride_h == g.stride_w) {
    const Gather whole = gather_backward_whole(g);
    if (uses_winograd(whole.convolution, algorithm)) return {whole};
  }
  return gather_backward(g);
}

// Sets the target's strides for contiguous pixels of `size` elements.
void set_target_pixel(GatherConvolution& d, int64_t size) {
  d.target_pixel = size;
  d.target_row = d.columns * d.target_pixel;
  d.target_image = d.rows * d.target_row;
}

bool is_empty(const Conv2dGeometry& g) { return g.n * g.h * g.w * g.c * g.p * g.q * g.k == 0; }

}  // namespace

size_t CpuBackend::workspace_for(const Conv2dGeometry& g) const {
  const int64_t weight = uses_winograd_weight(g, convolution_)
                             ? winograd_weight_workspace(g, threads_.count())
                         : uses_few_weight(g) ? few_weight_workspace(g, threads_.count())
                                              : weight_workspace(g, threads_.count());
  int64_t size = weight;
  const auto reserve = [&](const GatherConvolution& d) {
    const int64_t scratch =
        uses_winograd(d, convolution_) ? winograd_scratch_size(d) : direct_scratch_size(d);
    size = std::max(size, weights_size(d, convolution_) + threads_.count() * scratch);
  };
  reserve(gather_forward(g).convolution);
  size += epilogue_size(g.k);
  for (const Gather& piece : backward(g, convolution_)) reserve(piece.convolution);
  return static_cast<size_t>(size) * sizeof(real);
}

int64_t CpuBackend::packed_weight_size(const Conv2dGeometry& g) const {
  return is_empty(g) ? 0 : weights_size(gather_forward(g).convolution, convolution_);
}

void CpuBackend::compute(const PackWeight& c) {
  if (is_empty(c.geometry)) return;
  pack(gather_forward(c.geometry), {convolution_, threads_}, values_of(c.weight), c.packed);
}

void CpuBackend::compute(const Conv2dForward& c) {
  const Conv2dGeometry& g = c.geometry;
  if (is_empty(g)) return;
  Gather gather = gather_forward(g);
  if (c.epilogue.y_channels != 0) set_target_pixel(gather.convolution, c.epilogue.y_channels);
  const ConvolutionSettings settings{convolution_, threads_};
  real* constants = workspace_as<real>();
  real* rest = constants + epilogue_size(g.k);
  const real* packed = c.weight.packed;
  if (packed == nullptr) {
    pack(gather, settings, values_of(c.weight.values), rest);
    packed = rest;
  }
  convolve(gather, settings, values_of(c.x), packed, make_epilogue(c.epilogue, g.k, constants),
           rest + weights_size(gather.convolution, convolution_), values_of(c.y), Write::overwrite);
}

void CpuBackend::compute(const Conv2dBackwardData& c) {
  if (is_empty(c.geometry)) return;
  const ConvolutionSettings settings{convolution_, threads_};
  real* packed = workspace_as<real>();
  for (const Gather& piece : backward(c.geometry, convolution_)) {
    if (piece.convolution.taps() == 0 && c.write == Write::add) continue;
    pack(piece, settings, values_of(c.weight), packed);
    convolve(piece, settings, values_of(c.dy), packed, {},
             packed + weights_size(piece.convolution, convolution_), values_of(c.dx), c.write);
  }
}

// ---- Siblings. Their filters are 1x1, so only the direct algorithm computes them. All siblings have the
// same target pixels, forward and backward.

template <class Sibling>
size_t CpuBackend::workspace_for(const std::vector<Sibling>& siblings) const {
  int64_t packed = 0, scratch = 0;
  for (const Sibling& sibling : siblings) {
    const Conv2dGeometry& g = sibling.geometry;
    const GatherConvolution forward = gather_forward(g).convolution,
                            backward = gather_backward_whole(g).convolution;
    packed += epilogue_size(g.k) + std::max(packed_size(forward), packed_size(backward));
    scratch = std::max({scratch, direct_scratch_size(forward), direct_scratch_size(backward)});
  }
  return static_cast<size_t>(packed + threads_.count() * scratch) * sizeof(real);
}

template size_t CpuBackend::workspace_for(const std::vector<SiblingConvolution>&) const;
template size_t CpuBackend::workspace_for(const std::vector<SiblingGradient>&) const;

void CpuBackend::compute(const SiblingConv2dForward& c) {
  real* rest = workspace_as<real>();
  std::vector<DirectConvolution> all;
  for (const auto& [g, weight, epilogue, y] : c.siblings) {
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
    all.push_back({gather.convolution, values_of(c.x), packed, made, values_of(y), Write::overwrite});
  }
  if (!all.empty()) run_direct(all, threads_, rest);
}

void CpuBackend::compute(const SiblingConv2dBackwardData& c) {
  Write write = c.write;
  real* rest = workspace_as<real>();
  std::vector<DirectConvolution> all;
  for (const auto& [g, dy, weight] : c.siblings) {
    if (is_empty(g)) continue;
    const Gather gather = gather_backward_whole(g);
    pack_direct(gather, threads_, values_of(weight), rest);
    all.push_back({gather.convolution, values_of(dy), rest, {}, values_of(c.dx), write});
    rest += packed_size(gather.convolution);
    write = Write::add;
  }
  if (!all.empty()) run_direct(all, threads_, rest);
}

void CpuBackend::compute(const Conv2dBackwardWeight& c) {
  const Conv2dGeometry& g = c.geometry;
  if (is_empty(g)) return;
  for (int64_t image = 0; image < g.n; image += g.ghost) {
    const int64_t ghost = image / g.ghost;
    const Write write = write_of_ghost(c.write, ghost, c.ghost_stride);
    real* dweight = c.dweight + ghost * c.ghost_stride;
    const real* from = values_of(c.x) + image * g.h * g.w * g.c;
    const real* gradients = values_of(c.dy) + image * g.p * g.q * g.k;
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

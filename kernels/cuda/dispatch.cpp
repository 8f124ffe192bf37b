#include "kernels/cuda/dispatch.h"

#include <algorithm>
#include <stdexcept>
#include <type_traits>

namespace crescendo::cuda {

namespace {

int64_t weight_size(const Conv2dGeometry& g) { return g.k * g.r * g.s * g.c; }
bool is_empty(const Conv2dGeometry& g) { return g.n * g.h * g.w * g.c * g.p * g.q * g.k * g.r * g.s == 0; }
bool is_empty(const LinearGeometry& g) { return g.n * g.in * g.out == 0; }

}  // namespace

template <class T>
Dispatch<T>::Dispatch(const LaunchContext& context, ConvolutionLibrary& convolutions, MatrixLibrary& products,
                      ConvolutionAlgorithm algorithm)
    : context_(context),
      convolutions_(convolutions),
      products_(products),
      own_(context),
      own_convolutions_(context, algorithm == ConvolutionAlgorithm::own && std::is_same_v<T, bf16>) {}

template <class T>
void Dispatch<T>::run(const KernelCall& call) {
  std::visit([this](const auto& one) { this->compute(one); }, call);
}

// ---- Workspace

template <class T>
size_t Dispatch<T>::workspace(const KernelCall& call) const {
  const auto bytes = [this](const auto& one) -> size_t {
    if constexpr (requires { one.siblings; }) {
      size_t most = 0;
      for (const auto& sibling : one.siblings) most = std::max(most, this->workspace_for(sibling.geometry));
      return most;
    } else if constexpr (requires { one.norm_geometry; }) {
      return this->workspace_for(one.geometry, one.norm_geometry);
    } else if constexpr (requires { this->workspace_for(one.geometry); }) {
      return this->workspace_for(one.geometry);
    } else {
      return 0;
    }
  };
  return std::visit(bytes, call);
}

template <class T>
size_t Dispatch<T>::workspace_for(const Conv2dGeometry& g) const {
  if (is_empty(g)) return 0;
  if (own_convolutions_.computes(g)) return OwnConvolutions::workspace(g);
  size_t bytes = library_workspace(g);
  if (!std::is_same_v<T, real>) bytes += static_cast<size_t>(weight_size(g)) * sizeof(T);
  return bytes;
}

template <class T>
size_t Dispatch<T>::workspace_for(const Conv2dGeometry& g, const BatchNormGeometry& norm) const {
  return is_empty(g) ? 0 : std::max(OwnConvolutions::workspace(g), workspace_for(norm));
}

template <class T>
size_t Dispatch<T>::workspace_for(const LinearGeometry& g) const {
  return is_empty(g) ? 0 : products_.workspace();
}

template <class T>
size_t Dispatch<T>::library_workspace(const Conv2dGeometry& g) const {
  constexpr size_t kAlignment = 256;
  return (convolutions_.workspace(g) + kAlignment - 1) / kAlignment * kAlignment;
}

// ---- Convolutions

template <class T>
void Dispatch<T>::compute(const Conv2dForward& call) {
  const Conv2dGeometry& g = call.geometry;
  if (is_empty(g)) return;
  if (own_convolutions_.computes(g))
    own_convolutions_.compute(call);
  else
    convolutions_.forward(g, call.x, call.weight.values, call.y, context_.workspace);
  own_.finish_convolution(g, call.epilogue, call.y);
}

template <class T>
void Dispatch<T>::compute(const Conv2dBackwardData& call) {
  const Conv2dGeometry& g = call.geometry;
  if (is_empty(g)) return;
  if (own_convolutions_.computes(g))
    own_convolutions_.compute(call);
  else
    convolutions_.backward_data(g, call.dy, call.weight, call.dx, call.write, context_.workspace);
}

template <class T>
void Dispatch<T>::compute(const Conv2dBackwardWeight& call) {
  if (is_empty(call.geometry)) return;
  if (own_convolutions_.computes(call.geometry))
    own_convolutions_.compute(call);
  else
    compute_ghosts(call);
}

// Computes one ghost batch's gradient after another. In bf16, each is rounded to bf16 first.
template <class T>
void Dispatch<T>::compute_ghosts(const Conv2dBackwardWeight& call) {
  const Conv2dGeometry& g = call.geometry;
  Conv2dGeometry one = g;
  one.n = g.ghost;
  const auto* x = reinterpret_cast<const T*>(call.x);
  const auto* dy = reinterpret_cast<const T*>(call.dy);
  for (int64_t first = 0; first < g.n; first += g.ghost) {
    const int64_t ghost = first / g.ghost;
    const Write write = write_of_ghost(call.write, ghost, call.ghost_stride);
    real* dweight = call.dweight + ghost * call.ghost_stride;
    const T* x_ghost = x + first * g.h * g.w * g.c;
    const T* dy_ghost = dy + first * g.p * g.q * g.k;
    if constexpr (std::is_same_v<T, real>) {
      convolutions_.backward_weight(one, x_ghost, dy_ghost, dweight, write, context_.workspace);
    } else {
      void* rounded = static_cast<char*>(context_.workspace) + library_workspace(g);
      convolutions_.backward_weight(one, x_ghost, dy_ghost, rounded, Write::overwrite, context_.workspace);
      own_.widen(weight_size(g), static_cast<const activation*>(rounded), dweight, write);
    }
  }
}

template <class T>
void Dispatch<T>::compute(const SiblingConv2dForward& call) {
  run_one_by_one(call, [this](const Conv2dForward& one) { compute(one); });
}

template <class T>
void Dispatch<T>::compute(const SiblingConv2dBackwardData& call) {
  run_one_by_one(call, [this](const Conv2dBackwardData& one) { compute(one); });
}

// ---- Convolutions of a normalised input

namespace {

// Returns false if there is nothing to do.
bool begins_fused(const OwnConvolutions& convolutions, const Conv2dGeometry& g) {
  if (!convolutions.fuses_norm(g)) throw std::logic_error("cuda: norm_conv2d: a geometry that is not fused");
  return !is_empty(g);
}

}  // namespace

template <class T>
void Dispatch<T>::compute(const NormConv2dForward& call) {
  if (begins_fused(own_convolutions_, call.geometry)) own_convolutions_.compute(call);
}

template <class T>
void Dispatch<T>::compute(const NormConv2dBackwardWeight& call) {
  if (begins_fused(own_convolutions_, call.geometry)) own_convolutions_.compute(call);
}

template <class T>
void Dispatch<T>::compute(const NormConv2dBackwardData& call) {
  if (!begins_fused(own_convolutions_, call.geometry)) return;
  own_convolutions_.compute(Conv2dBackwardData{.geometry = call.geometry,
                                               .dy = call.dy,
                                               .weight = call.weight,
                                               .dx = call.between,
                                               .write = Write::overwrite});
  own_.compute(GhostBatchNormBackward{.geometry = call.norm_geometry,
                                      .x = call.x,
                                      .dy = call.between,
                                      .norm = call.norm,
                                      .dx = call.dx,
                                      .write_dx = call.write_dx,
                                      .dscale = call.dscale,
                                      .dshift = call.dshift,
                                      .write_parameters = call.write_parameters,
                                      .dscale_stride = call.dscale_stride,
                                      .dshift_stride = call.dshift_stride});
}

// ---- Linear

template <class T>
void Dispatch<T>::compute(const LinearForward& call) {
  const LinearGeometry& g = call.geometry;
  if (is_empty(g)) return;
  const MatrixProduct product{.m = g.n,
                              .n = g.out,
                              .k = g.in,
                              .transpose_a = false,
                              .transpose_b = true,
                              .real_c = false,
                              .same_m = g.ghost};
  products_.multiply(product, call.x, call.weight, call.y, Write::overwrite, context_.workspace);
  own_.finish_sums(g.n, g.out, {.bias = call.bias}, call.y);
}

template <class T>
void Dispatch<T>::compute(const LinearBackwardData& call) {
  const LinearGeometry& g = call.geometry;
  if (is_empty(g)) return;
  const MatrixProduct product{.m = g.n,
                              .n = g.in,
                              .k = g.out,
                              .transpose_a = false,
                              .transpose_b = false,
                              .real_c = false,
                              .same_m = g.ghost};
  products_.multiply(product, call.dy, call.weight, call.dx, call.write, context_.workspace);
}

// Computes one ghost batch's gradient after another.
template <class T>
void Dispatch<T>::compute(const LinearBackwardWeight& call) {
  const LinearGeometry& g = call.geometry;
  if (is_empty(g)) return;
  const MatrixProduct product{.m = g.out,
                              .n = g.in,
                              .k = g.ghost,
                              .transpose_a = true,
                              .transpose_b = false,
                              .real_c = true,
                              .same_m = g.out};
  const auto* x = reinterpret_cast<const T*>(call.x);
  const auto* dy = reinterpret_cast<const T*>(call.dy);
  for (int64_t ghost = 0; ghost < g.n / g.ghost; ++ghost) {
    const int64_t first = ghost * g.ghost;
    products_.multiply(product, dy + first * g.out, x + first * g.in,
                       call.dweight + ghost * call.ghost_stride,
                       write_of_ghost(call.write, ghost, call.ghost_stride), context_.workspace);
  }
}

template class Dispatch<float>;
template class Dispatch<bf16>;

}  // namespace crescendo::cuda

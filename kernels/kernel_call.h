// A kernel call as a value: which kernel, its sizes, and a pointer for each operand.
//
// Conventions. Activations are NHWC, weights [out,r,s,in]. Pointers are the backend's memory. `Write` says
// whether an output is overwritten or added to; outputs without a Write are overwritten. Gradients are
// defined by one sentence: let f = sum(y * dy); the kernel writes (or adds) df/dx to dx. Kernels allocate
// nothing, check nothing (the op did), and return at once if a size is zero. The shape of every reduction
// follows from the geometry alone, so results do not depend on the number of threads. A parameter's gradient
// is the sum, in order, of the gradients of the ghost batches, so it does not depend on the micro-batch
// either; or with a stride between them, the gradients of the ghost batches one by one.
#pragma once

#include <variant>

#include "kernels/calls/convolution.h"
#include "kernels/calls/data.h"
#include "kernels/calls/linear.h"
#include "kernels/calls/normalisation.h"
#include "kernels/calls/pointwise.h"
#include "kernels/calls/pooling.h"
#include "kernels/calls/sums.h"
#include "kernels/calls/training.h"

namespace crescendo {

// The variant of all alternatives of several variants.
template <class... Variants>
struct Joined;
template <class... Calls>
struct Joined<std::variant<Calls...>> {
  using type = std::variant<Calls...>;
};
template <class... First, class... Second, class... Rest>
struct Joined<std::variant<First...>, std::variant<Second...>, Rest...>
    : Joined<std::variant<First..., Second...>, Rest...> {};

using KernelCall = Joined<ConvolutionCalls, LinearCalls, NormalisationCalls, PoolingCalls, PointwiseCalls,
                          SumCalls, TrainingCalls, DataCalls>::type;

// Returns the kernel's name, e.g. "conv2d_forward".
inline std::string_view name_of(const KernelCall& call) {
  return std::visit([](const auto& one) { return one.kName; }, call);
}

// Returns how much the call has to do. Its pointers are not followed.
inline Work work(const KernelCall& call) {
  return std::visit([](const auto& one) { return one.work(); }, call);
}

}  // namespace crescendo

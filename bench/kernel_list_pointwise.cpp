// Kernels over n elements: pointwise kernels, transfers, reductions of flat stores, optimizers.
#include "kernel_list_parts.h"
#include "kernels/exact_sum.h"
#include "sizes_text.h"

namespace crescendo::bench {
namespace {

// Returns the upper half of the channels of each row.
ChannelSlice half_of_channels(int64_t n) {
  constexpr int64_t kChannels = 64;
  return {.rows = n / kChannels,
          .count = kChannels,
          .from_channels = 2 * kChannels,
          .from_offset = kChannels,
          .to_channels = kChannels,
          .to_offset = 0};
}

OptimizerStep small_step(int64_t n) {
  return {.n = n, .decayed = n, .learning_rate = 1e-3, .weight_decay = 5e-4, .gradient_scale = 1.0 / 128};
}

}  // namespace

void add_pointwise(KernelList& list, int64_t n) {
  add(list, [n](Operands& o) { return ReluForward{.n = n, .x = o.activations(n), .y = o.activations(n)}; });
  add(list, [n](Operands& o) {
    return ReluBackward{.n = n,
                        .y = o.activations(n),
                        .dy = o.activations(n),
                        .dx = o.activations(n),
                        .write = Write::overwrite};
  });
  add(list, [n](Operands& o) {
    return ScaleAdd{
        .n = n, .a = o.activations(n), .factor = 0.5, .b = o.activations(n), .y = o.activations(n)};
  });
  add(list, [n](Operands& o) {
    return Scale{
        .n = n, .factor = 0.5, .x = o.activations(n), .y = o.activations(n), .write = Write::overwrite};
  });
}

void add_other_pointwise(KernelList& list, int64_t n) {
  add(list, [n](Operands& o) {
    return Dropout{.geometry = {.n = 1, .elements = n, .key = 1, .layer = 0, .keep = 0.5},
                   .counters = nullptr,
                   .x = o.activations(n),
                   .y = o.activations(n),
                   .write = Write::overwrite};
  });
  add(list, [g = half_of_channels(n)](Operands& o) {
    return CopyChannels{.geometry = g,
                        .from = o.activations(g.rows * g.from_channels),
                        .to = o.activations(g.rows * g.to_channels),
                        .write = Write::overwrite};
  });
}

void add_transfers(KernelList& list, int64_t n) {
  const auto add = [&](const std::string& kernel, const std::function<Call(Backend&)>& prepare) {
    list.push_back({.name = kernel + "/" + sizes_text(n), .work = work_of_transfer(n), .prepare = prepare});
  };
  add("upload_activations", [n](Backend& b) -> Call {
    const auto operands = std::make_shared<Operands>(b);
    return [&b, n, operands, host = std::vector<float>(static_cast<size_t>(n)),
            to = operands->activations(n)] { b.upload_activations(n, host.data(), to); };
  });
  add("download_activations", [n](Backend& b) -> Call {
    const auto operands = std::make_shared<Operands>(b);
    return [&b, n, operands, from = operands->activations(n),
            host = std::vector<real>(static_cast<size_t>(n))]() mutable {
      b.download_activations(n, from, host.data());
    };
  });
}

void add_flat(KernelList& list, int64_t n) {
  add(list, [n](Operands& o) { return Fill{.n = n, .value = 1, .to = o.reals(n)}; });
  add(list, [n](Operands& o) { return FillActivations{.n = n, .value = 1, .to = o.activations(n)}; });
  add(list, [n](Operands& o) {
    return Blend{.n = n, .keep = 0.9, .weight = 0.1, .from = o.reals(n), .to = o.reals(n)};
  });
  add(list, [n](Operands& o) { return SumOfSquares{.n = n, .x = o.reals(n), .result = o.zeros<double>(1)}; });
  add(list, [n](Operands& o) {
    return CheckFinite{.n = n, .gradients = o.reals(n), .counts = o.zeros<UpdateCounts>(1)};
  });
  add(list, [n](Operands& o) {
    return BeginUpdate{.first = 0,
                       .position = 0,
                       .ghosts = 1,
                       .n = n,
                       .sums = o.zeros<int64_t>(n),
                       .counters = o.zeros<StepCounters>(1),
                       .counts = o.zeros<UpdateCounts>(1)};
  });
  add(list, [n](Operands& o) {
    return AddToSums{.n = n,
                     .ghosts = 1,
                     .ghost_stride = n,
                     .unit = gradient_unit(128),
                     .gradients = o.reals(n),
                     .sums = o.zeros<int64_t>(n),
                     .counters = o.zeros<StepCounters>(1),
                     .counts = o.zeros<UpdateCounts>(1)};
  });
  add(list, [n](Operands& o) {
    return TakeSums{.n = n,
                    .unit = gradient_unit(128),
                    .keep = 0,
                    .sums = o.zeros<int64_t>(n),
                    .to = o.reals(n),
                    .counters = nullptr};
  });
}

void add_optimizers(KernelList& list, int64_t n) {
  add(list, [n](Operands& o) {
    return Sgd{.step = small_step(n), .gradients = o.reals(n), .values = o.reals(n), .copy = o.copy(n)};
  });
  add(list, [n](Operands& o) {
    return Momentum{.step = {small_step(n), 0.9, true},
                    .gradients = o.reals(n),
                    .values = o.reals(n),
                    .velocity = o.reals(n),
                    .copy = o.copy(n)};
  });
  add(list, [n](Operands& o) {
    return Adam{.step = {small_step(n), 0.9, 0.999, 1e-8, 1},
                .gradients = o.reals(n),
                .values = o.reals(n),
                .first_moment = o.reals(n),
                .second_moment = o.reals(n, 1),
                .copy = o.copy(n)};
  });
}

}  // namespace crescendo::bench

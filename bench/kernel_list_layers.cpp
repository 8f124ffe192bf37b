// Batch norm, pooling and the loss.
#include "kernel_list_parts.h"

namespace crescendo::bench {

NormOperands norm_operands(const BatchNormGeometry& g, Operands& o) {
  const int64_t statistics = g.ghosts() * g.c;
  return {.scale = o.reals(g.c),
          .shift = o.reals(g.c),
          .mean = o.reals(statistics),
          .variance = o.reals(statistics, 1)};
}

void add_batch_norm(KernelList& list, const BatchNormGeometry& g) {
  const int64_t elements = g.n * g.pixels * g.c, statistics = g.ghosts() * g.c;
  add(list, [=](Operands& o) {
    return GhostMoments{.geometry = g,
                        .x = o.activations(elements),
                        .mean = o.reals(statistics),
                        .variance = o.reals(statistics)};
  });
  add(list, [=](Operands& o) {
    return GhostBatchNormBackward{.geometry = g,
                                  .x = o.activations(elements),
                                  .dy = o.activations(elements),
                                  .norm = norm_operands(g, o),
                                  .dx = o.activations(elements),
                                  .write_dx = Write::overwrite,
                                  .dscale = o.reals(g.c),
                                  .dshift = o.reals(g.c),
                                  .write_parameters = Write::overwrite};
  });
  add(list, [=](Operands& o) {
    return Normalise{.geometry = g,
                     .x = o.activations(elements),
                     .norm = norm_operands(g, o),
                     .residual = nullptr,
                     .y = o.activations(elements)};
  });
  add(list, [=](Operands& o) {
    return UpdateRunningStatistics{.geometry = g,
                                   .keep = 0.9,
                                   .weight = 0.1,
                                   .mean = o.reals(statistics),
                                   .variance = o.reals(statistics, 1),
                                   .running_mean = o.reals(g.c),
                                   .running_variance = o.reals(g.c)};
  });
  add(list, [=](Operands& o) {
    return AddStatistics{.geometry = g,
                         .momentum = 0.1,
                         .mean_of_ghosts = false,
                         .mean = o.reals(statistics),
                         .variance = o.reals(statistics, 1),
                         .mean_sums = o.zeros<int64_t>(g.c),
                         .variance_sums = o.zeros<int64_t>(g.c),
                         .counters = o.zeros<StepCounters>(1),
                         .counts = o.zeros<UpdateCounts>(1)};
  });
}

void add_pooling(KernelList& list, const Pool2dGeometry& g) {
  const int64_t inputs = g.n * g.h * g.w * g.c, outputs = g.n * g.p * g.q * g.c;
  const auto max_pool = [=](Operands& o) {
    return MaxPool2dForward{.geometry = g,
                            .x = o.activations(inputs),
                            .y = o.activations(outputs),
                            .winners = o.zeros<int32_t>(outputs)};
  };
  add(list, max_pool);
  add(list, [=](Operands& o) {
    const MaxPool2dForward forward = max_pool(o);
    o.run(forward);
    return MaxPool2dBackward{.geometry = g,
                             .dy = o.activations(outputs),
                             .winners = forward.winners,
                             .dx = o.activations(inputs),
                             .write = Write::overwrite};
  });
  add(list, [=](Operands& o) {
    return AveragePool2dForward{.geometry = g, .x = o.activations(inputs), .y = o.activations(outputs)};
  });
  add(list, [=](Operands& o) {
    return AveragePool2dBackward{
        .geometry = g, .dy = o.activations(outputs), .dx = o.activations(inputs), .write = Write::overwrite};
  });
}

void add_cross_entropy(KernelList& list, const CrossEntropyGeometry& g) {
  add(list, [g](Operands& o) {
    return SoftmaxCrossEntropyForward{.geometry = g,
                                      .logits = o.activations(g.n * g.classes),
                                      .labels = o.zeros<int32_t>(g.n),
                                      .losses = o.reals(g.n),
                                      .correct = o.zeros<int32_t>(g.n)};
  });
  add(list, [g](Operands& o) {
    return SoftmaxCrossEntropyBackward{.geometry = g,
                                       .logits = o.activations(g.n * g.classes),
                                       .labels = o.zeros<int32_t>(g.n),
                                       .dlosses = o.reals(g.n),
                                       .dlogits = o.activations(g.n * g.classes),
                                       .write = Write::overwrite};
  });
}

}  // namespace crescendo::bench

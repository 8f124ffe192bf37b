#include "kernel_list.h"

#include "kernel_list_parts.h"
#include "sizes_text.h"
#include "tests/cases/conv2d.h"
#include "tests/cases/images.h"
#include "tests/cases/linear.h"

namespace crescendo::bench {
namespace {

// Adds batch norm and the pointwise ops between convolutions, on the output of one.
void add_activation(KernelList& list, const Conv2dGeometry& g) {
  add_batch_norm(list,
                 {.n = g.n, .pixels = g.p * g.q, .c = g.k, .ghost = g.n, .epsilon = 1e-5, .relu = true});
  add_pointwise(list, g.n * g.p * g.q * g.k);
}

// Adds the kernels that run once per update, over n parameters.
void add_update(KernelList& list, int64_t n) {
  add_flat(list, n);
  add_optimizers(list, n);
}

}  // namespace

KernelBenchmark& add(KernelList& list, const std::function<KernelCall(Operands&)>& make) {
  Operands without_memory;
  const KernelCall named = make(without_memory);
  const auto prepare = [make](Backend& backend) -> Call {
    const auto operands = std::make_shared<Operands>(backend);
    const KernelCall call = make(*operands);
    backend.reserve_workspace(backend.workspace(call));
    return [&backend, operands, call] { backend.run(call); };
  };
  return list.emplace_back(KernelBenchmark{.name = std::string(name_of(named)) + "/" + sizes_text(named),
                                           .work = work(named),
                                           .prepare = prepare});
}

void add_model(KernelList& list, const LayerTable& table, int64_t batch, const Backend& backend) {
  for (const Layer& layer : table.layers) {
    const Conv2dGeometry g = layer.geometry(batch);
    add_convolution(list, g, layer.count);
    if (backend.fuses_norm(g)) add_norm_convolution(list, g);
  }
  int64_t parameters = 0;
  for (const Layer& layer : table.layers) {
    add_activation(list, layer.geometry(batch));
    parameters += layer.count * layer.k * layer.r * layer.s * layer.c;
  }
  add_update(list, parameters);
}

void add_cases(KernelList& list, const Backend& backend) {
  for (const auto& test : test::conv2d_cases()) {
    add_convolution(list, test.geometry, 0);
    if (backend.fuses_norm(test.geometry)) add_norm_convolution(list, test.geometry);
  }
  for (const LinearGeometry& g : test::linear_cases()) add_linear(list, g);
  for (const BiasGeometry& g : test::bias_cases()) add_bias(list, g);
  for (const BatchNormGeometry& g : test::batch_norm_cases()) add_batch_norm(list, g);
  for (const auto& test : test::pool2d_cases()) add_pooling(list, test.geometry);
  for (const CrossEntropyGeometry& g : test::cross_entropy_cases()) add_cross_entropy(list, g);
  for (const int64_t n : test::lengths()) {
    add_pointwise(list, n);
    add_other_pointwise(list, n);
    add_transfers(list, n);
    add_update(list, n);
  }
}

}  // namespace crescendo::bench

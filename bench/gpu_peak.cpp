// Measures a GPU's peak by the backend's own kernels: the multiply-adds of a large matrix product, and the
// bytes of y = a + factor * b over arrays that no cache holds.
#include <algorithm>

#include "kernels/kernel_call.h"
#include "operands.h"
#include "peak.h"

namespace crescendo::bench {
namespace {

constexpr int kTries = 5;
constexpr int64_t kMatrix = 8192;                     // rows and columns
constexpr int64_t kTriadElements = int64_t{1} << 27;  // of each array

// Returns the largest number of calls per second in several tries.
double best_rate(Backend& backend, const KernelCall& kernel, const Call& wait) {
  backend.reserve_workspace(backend.workspace(kernel));
  const Call call = [&] { backend.run(kernel); };
  const int64_t calls = calls_between_waits(call, wait);
  double best = 0;
  for (int i = 0; i < kTries; ++i)
    best = std::max(best, static_cast<double>(calls) / seconds_of(call, wait, calls));
  return best;
}

double measure_multiply_adds(Backend& backend, const Call& wait) {
  const LinearGeometry g{.n = kMatrix, .in = kMatrix, .out = kMatrix, .ghost = kMatrix};
  Operands operands(backend);
  const LinearForward product{.geometry = g,
                              .x = operands.activations(g.n * g.in),
                              .weight = operands.activations(g.out * g.in),
                              .bias = nullptr,
                              .y = operands.activations(g.n * g.out)};
  return best_rate(backend, product, wait) * static_cast<double>(work(product).multiply_adds);
}

double measure_bytes(Backend& backend, const Call& wait) {
  Operands operands(backend);
  const ScaleAdd triad{.n = kTriadElements,
                       .a = operands.activations(kTriadElements),
                       .factor = 0.5,
                       .b = operands.activations(kTriadElements),
                       .y = operands.activations(kTriadElements)};
  const int64_t bytes = work(triad).bytes(backend.capabilities().activation_bytes);
  return best_rate(backend, triad, wait) * static_cast<double>(bytes);
}

}  // namespace

Peak measure_peak(Backend& backend, const Call& wait) {
  return {measure_multiply_adds(backend, wait), measure_bytes(backend, wait)};
}

}  // namespace crescendo::bench

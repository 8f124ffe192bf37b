// The peak of a device that is known by its kernels alone: a large matrix product's multiply-adds, and the
// bytes of y = a + factor * b over arrays that no cache holds.
#include <algorithm>

#include "operands.h"
#include "peak.h"
#include "work.h"

namespace crescendo::bench {
namespace {

constexpr int kTries = 5;
constexpr int64_t kMatrix = 8192;                     // rows and columns
constexpr int64_t kTriadElements = int64_t{1} << 27;  // of each array

// The most calls a second.
double best_rate(const Call& call, const Call& wait) {
  const int64_t calls = calls_between_waits(call, wait);
  double best = 0;
  for (int i = 0; i < kTries; ++i)
    best = std::max(best, static_cast<double>(calls) / seconds_of(call, wait, calls));
  return best;
}

double measure_multiply_adds(Backend& backend, const Call& wait) {
  const LinearGeometry g{.n = kMatrix, .in = kMatrix, .out = kMatrix, .ghost = kMatrix};
  backend.reserve_workspace(backend.workspace(g));
  const Activations x(backend, g.n * g.in), weight(backend, g.out * g.in), y(backend, g.n * g.out);
  const auto product = [&] { backend.linear_forward(g, x, weight, nullptr, y); };
  return best_rate(product, wait) * static_cast<double>(g.multiply_adds());
}

double measure_bytes(Backend& backend, const Call& wait) {
  const Activations a(backend, kTriadElements), b(backend, kTriadElements), y(backend, kTriadElements);
  const auto triad = [&] { backend.scale_add(kTriadElements, a, 0.5, b, y); };
  return best_rate(triad, wait) * streaming(kTriadElements, 3).bytes(backend.activation_bytes());
}

}  // namespace

Peak measure_peak(Backend& backend, const Call& wait) {
  return {measure_multiply_adds(backend, wait), measure_bytes(backend, wait)};
}

}  // namespace crescendo::bench

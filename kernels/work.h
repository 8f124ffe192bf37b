// The work of a kernel call by definition. The plan, the dry run and the benchmarks share it.
#pragma once

#include <cstddef>

#include "kernels/geometry.h"
#include "kernels/real.h"

namespace crescendo {

// Multiply-adds of the direct definition, whatever the algorithm, and the elements of all large operands by
// type, each touched once.
struct Work {
  int64_t multiply_adds = 0;
  int64_t activations = 0, reals = 0;
  int64_t indices = 0;  // int32
  int64_t sums = 0;     // int64
  int64_t copies = 0;   // parameters copied as activations; there are no copies if activations are reals

  int64_t bytes(size_t activation_bytes) const {
    const int64_t as_activations = activations + (activation_bytes != sizeof(real) ? copies : 0);
    return as_activations * static_cast<int64_t>(activation_bytes) +
           reals * static_cast<int64_t>(sizeof(real)) + indices * static_cast<int64_t>(sizeof(int32_t)) +
           sums * static_cast<int64_t>(sizeof(int64_t));
  }
  bool operator==(const Work&) const = default;
};

// Return the work of reading or writing `tensors` tensors of n activations, or of n reals.
inline Work streaming(int64_t n, int64_t tensors) { return {.activations = n * tensors}; }
inline Work streaming_reals(int64_t n, int64_t tensors) { return {.reals = n * tensors}; }
// Returns the work of moving n elements between reals and activations.
inline Work work_of_transfer(int64_t n) { return {.activations = n, .reals = n}; }

inline int64_t weight_elements(const Conv2dGeometry& g) { return g.k * g.r * g.s * g.c; }
inline int64_t weight_elements(const LinearGeometry& g) { return g.in * g.out; }

// Returns the work of a forward or a data pass, which reads two of x, weight and y and writes the third.
inline Work pass_work(const Conv2dGeometry& g) {
  return {.multiply_adds = g.multiply_adds(),
          .activations = g.n * g.h * g.w * g.c + weight_elements(g) + g.n * g.p * g.q * g.k};
}
inline Work pass_work(const LinearGeometry& g) {
  return {.multiply_adds = g.multiply_adds(), .activations = g.n * g.in + weight_elements(g) + g.n * g.out};
}
// Returns the work of a weight pass, whose result has reals.
template <class Geometry>
Work weight_pass_work(const Geometry& g) {
  Work work = pass_work(g);
  work.activations -= weight_elements(g);
  work.reals += weight_elements(g);
  return work;
}

}  // namespace crescendo

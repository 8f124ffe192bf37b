// Measures what a device can do at most, to compare kernels with.
#pragma once

#include "kernels/backend.h"
#include "waiting.h"

namespace crescendo::bench {

struct Peak {
  double multiply_adds = 0;  // per second: CPU, of reals in registers; GPU, of a matrix product
  double bytes = 0;          // per second, to and from memory, in y = a + factor * b
};

// Measures the CPU on as many threads as the kernels will have:
// the best of several tries, in about half a second.
Peak measure_peak(int threads);

// Measures the backend's device, which is a GPU. `wait` waits for its work.
Peak measure_peak(Backend&, const Call& wait);

}  // namespace crescendo::bench

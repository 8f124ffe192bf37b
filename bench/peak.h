// The peak of this machine, measured on the device whose kernels are compared with it.
#pragma once

#include "kernels/backend.h"
#include "waiting.h"

namespace crescendo::bench {

struct Peak {
  double multiply_adds = 0;  // a second: of real, in registers; on a GPU those of a matrix product
  double bytes = 0;          // a second, to and from memory, as a triad counts them
};

// On as many threads as the kernels will have: the best of several tries, about half a second.
Peak measure_peak(int threads);

// Measures the peak of the backend's device. `wait` waits for the work of the device.
Peak measure_peak(Backend&, const Call& wait);

}  // namespace crescendo::bench

// The diagnosis of an update whose loss or gradient was not finite.
#pragma once

#include <string>

#include "trainer/step/micro_step.h"

namespace crescendo {

// Computes an update again, micro-batch by micro-batch, and returns in words which samples were not finite
// and which layer was the first to go wrong. A micro-batch must be one ghost batch if sums.takes_ghosts().
// Overwrites gradients.
std::string explain_non_finite(MicroStep& step, Batches& batches, const SampleRange& update,
                               int64_t micro_batch);

}  // namespace crescendo

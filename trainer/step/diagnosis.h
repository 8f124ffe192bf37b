// The diagnosis of an update whose loss or gradient was not finite.
#pragma once

#include <string>

#include "trainer/step/micro_step.h"

namespace crescendo {

// Computes a worker's share of an update again, micro-batch by micro-batch, and returns in words which samples
// were not finite and which layer was the first to go wrong; an empty text if all were. A micro-batch must be
// one ghost batch if sums.takes_ghosts(). Overwrites gradients.
std::string explain_non_finite(MicroStep& step, Batches& batches, const SampleRange& update,
                               const SampleRange& share, int64_t micro_batch);

// Returns the explanation of an update all of whose micro-batches are finite.
std::string explain_sum(const SampleRange& update);

}  // namespace crescendo

// Workers repeat each other's work now and then, to find one that computes wrongly.
#pragma once

#include <cstdint>

#include "kernels/communicator.h"

namespace crescendo {

// The digests of two ghost batches as a worker computes them: its own, and that of the next worker. The last
// worker's next one is the first.
struct GhostDigests {
  uint64_t own = 0, next = 0;
};

// Throws SharedError if two workers disagree about a ghost batch. The message names the worker that disagrees
// with both of its neighbours, or all that disagree with one.
void compare_ghosts(Communicator& workers, const GhostDigests& mine, int64_t updates);

}  // namespace crescendo

// The processor cores that each worker of a machine takes.
#pragma once

#include "kernels/communicator.h"

namespace crescendo {

struct CoreShare {
  int cores = 1;    // that this worker may use
  int sharing = 1;  // workers that may use the same ones, this one included
};

// Returns the cores of this worker: a launcher has bound workers to cores of their own, or they share.
CoreShare core_share(Communicator& workers);

// Returns the number of threads of each of the workers that share cores: that in OMP_NUM_THREADS, or an equal
// part of the cores, at least one.
int threads_of_worker(const CoreShare& share);

}  // namespace crescendo

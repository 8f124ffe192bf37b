// The workers of this run: the processes that were started together.
#pragma once

#include <memory>

#include "kernels/communicator.h"

namespace crescendo {

// Returns the communicator of the processes that mpirun, srun or crescendo launch started together, or Solo
// for a process on its own, which does not load MPI unless several workers are expected.
std::unique_ptr<Communicator> open_workers(int64_t expected);

// Throws SharedError if there are not as many workers as expected; 0 expects any number. Throws
// std::invalid_argument if a launcher started several processes that cannot find each other.
void require_workers(const Communicator& workers, int64_t expected);

}  // namespace crescendo

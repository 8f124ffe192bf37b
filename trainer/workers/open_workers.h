// The workers of this run: the processes that were started together.
#pragma once

#include <memory>

#include "kernels/communicator.h"

namespace crescendo {

// Returns the communicator of the processes that mpirun, srun or crescendo launch started together, or Solo
// for a process on its own. `expected` is how many there must be; 0 accepts any number. Throws
// std::invalid_argument if there are others, or if a launcher started several processes that cannot find each
// other.
std::unique_ptr<Communicator> open_workers(int64_t expected);

}  // namespace crescendo

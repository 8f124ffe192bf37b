// The communicator between processes, by MPI, in a module that is loaded on demand.
#pragma once

#include <memory>

#include "kernels/communicator.h"

namespace crescendo {

// Returns true if a launcher of MPI programs started this process: mpirun, or srun with PMIx or PMI.
bool started_by_mpi();

// Starts MPI and returns the communicator of all processes that were started with this one. To be called at
// most once in a process. Throws std::invalid_argument, with one line for the user, if the program was built
// without MPI.
std::unique_ptr<Communicator> make_mpi_communicator();

}  // namespace crescendo

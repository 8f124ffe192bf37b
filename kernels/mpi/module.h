// The module of the MPI communicator, as the program finds it.
#pragma once

#include "kernels/communicator.h"

namespace crescendo::mpi {

constexpr const char* kModule = "libcrescendo_mpi.so";
constexpr const char* kMakeCommunicator = "crescendo_make_mpi_communicator";
using MakeCommunicator = Communicator*();

}  // namespace crescendo::mpi

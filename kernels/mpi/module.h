// The module of the MPI communicator, as the program finds it.
#pragma once

#include "kernels/communicator.h"

namespace crescendo::mpi {

constexpr const char* kModule = "libcrescendo_mpi.so";
constexpr const char* kMakeCommunicator = "crescendo_make_mpi_communicator";
// Argument: the seconds of silence after which a worker is lost; the program's are kSilence, tests have less.
using MakeCommunicator = Communicator*(double silence);
constexpr double kSilence = 15;

}  // namespace crescendo::mpi

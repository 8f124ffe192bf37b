#include "kernels/mpi/module.h"

#include "kernels/mpi/mpi_communicator.h"

extern "C" crescendo::Communicator* crescendo_make_mpi_communicator(double silence) {
  return new crescendo::mpi::MpiCommunicator(silence);
}

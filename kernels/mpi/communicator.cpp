// This file is part of the program. All others in this folder form a module that is loaded on demand.
#include "kernels/mpi/communicator.h"

#include <algorithm>
#include <cstdlib>
#include <initializer_list>
#include <stdexcept>
#include <string>

#include "base/module.h"
#include "kernels/mpi/module.h"

namespace crescendo {

bool started_by_mpi() {
  const std::initializer_list<const char*> variables = {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "PMIX_RANK"};
  return std::any_of(variables.begin(), variables.end(),
                     [](const char* variable) { return std::getenv(variable) != nullptr; });
}

std::unique_ptr<Communicator> make_mpi_communicator() {
  std::string why;
  auto* const make =
      reinterpret_cast<mpi::MakeCommunicator*>(module_function(mpi::kModule, mpi::kMakeCommunicator, why));
  if (make == nullptr)
    throw std::invalid_argument(std::string("several workers: ") + mpi::kModule +
                                ", which is built where MPI is found, does not load: " + why);
  return std::unique_ptr<Communicator>(make(mpi::kSilence));
}

}  // namespace crescendo

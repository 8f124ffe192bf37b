#include "trainer/workers/open_workers.h"

#include <cstdlib>

#include "base/check.h"
#include "kernels/mpi/communicator.h"
#include "trainer/workers/together.h"

namespace crescendo {
namespace {

// Returns the number in an environment variable; 0 if there is none.
int64_t number_in(const char* variable) {
  const char* text = std::getenv(variable);
  return text == nullptr ? 0 : std::strtoll(text, nullptr, 10);
}

// Each of these processes would otherwise train on its own, in the same run folder.
void require_no_strangers() {
  const int64_t srun = number_in("SLURM_STEP_NUM_TASKS"), torchrun = number_in("WORLD_SIZE");
  require(srun <= 1, "workers: srun started ", srun,
          " processes that do not know of each other: use srun --mpi=pmix");
  require(torchrun <= 1 || std::getenv("RANK") == nullptr, "workers: torchrun started ", torchrun,
          " processes, which cannot find each other: use crescendo launch, mpirun or srun --mpi=pmix");
}

}  // namespace

std::unique_ptr<Communicator> open_workers(int64_t expected) {
  if (started_by_mpi() || expected > 1) return make_mpi_communicator();
  return std::make_unique<Solo>();
}

void require_workers(const Communicator& workers, int64_t expected) {
  constexpr int kBadInput = 2;
  if (workers.size() == 1 && expected != 1) require_no_strangers();
  if (expected == 0 || expected == workers.size()) return;
  const std::string found = workers.size() == 1
                                ? join("this process was started alone: use crescendo launch -n ", expected)
                                : join(workers.size(), " processes were started");
  throw SharedError(join("workers: found --workers ", expected, ", but ", found), kBadInput);
}

}  // namespace crescendo

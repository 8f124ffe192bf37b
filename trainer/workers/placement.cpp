#include "trainer/workers/placement.h"

#include <sched.h>

#include <algorithm>
#include <cstdlib>

#include "base/cores.h"
#include "base/host_name.h"
#include "base/threads.h"
#include "base/xxh3.h"
#include "trainer/workers/together.h"

namespace crescendo {
namespace {

// Where a worker may run.
struct Place {
  uint64_t host;
  cpu_set_t cores;
};

}  // namespace

CoreShare core_share(Communicator& workers) {
  const std::string host = host_name();
  Place mine{.host = xxh3_64(host.data(), host.size()), .cores = {}};
  sched_getaffinity(0, sizeof mine.cores, &mine.cores);
  const std::vector<Place> all = gather_values(workers, mine);
  const auto sharing = std::count_if(all.begin(), all.end(), [&](const Place& other) {
    return other.host == mine.host && CPU_EQUAL(&other.cores, &mine.cores) != 0;
  });
  return {.cores = allowed_cores(), .sharing = static_cast<int>(sharing)};
}

int threads_of_worker(const CoreShare& share) {
  if (std::getenv("OMP_NUM_THREADS") != nullptr) return default_threads();
  return std::max(1, share.cores / share.sharing);
}

}  // namespace crescendo

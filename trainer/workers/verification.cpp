#include "trainer/workers/verification.h"

#include <algorithm>
#include <vector>

#include "base/check.h"
#include "trainer/workers/together.h"

namespace crescendo {

void compare_ghosts(Communicator& workers, const GhostDigests& mine, int64_t updates) {
  constexpr int kTryAgain = 75;  // EX_TEMPFAIL
  const std::vector<GhostDigests> all = gather_values(workers, mine);
  std::vector<int> disagreements(all.size());
  for (size_t rank = 0; rank < all.size(); ++rank) {
    const size_t next = (rank + 1) % all.size();
    if (all[rank].next == all[next].own) continue;
    ++disagreements[rank];
    ++disagreements[next];
  }
  const int most = *std::max_element(disagreements.begin(), disagreements.end());
  if (most == 0) return;
  const std::vector<std::string> names = worker_names(workers);
  std::string wrong;
  for (size_t rank = 0; rank < all.size(); ++rank)
    if (disagreements[rank] == most) wrong += (wrong.empty() ? "" : ", ") + names[rank];
  throw SharedError(
      join("after update ", updates, " workers compute different gradients of the same samples: ", wrong,
           "; --resume continues the run, without that machine"),
      kTryAgain);
}

}  // namespace crescendo

// The roll call before a run: do all workers compute the same?
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "kernels/communicator.h"

namespace crescendo {

// Facts with names, which must be equal on all workers.
using RollCall = std::vector<std::pair<std::string, std::string>>;

// Throws SharedError on all workers if a fact differs, with the first that does, e.g. "rank 3 on node17:
// commit 5f2a, rank 0 on node1: commit 91c0".
void call_roll(Communicator& workers, const RollCall& facts);

}  // namespace crescendo

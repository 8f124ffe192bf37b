// Commands that several workers run together.
#pragma once

#include <cstdint>
#include <functional>

#include "kernels/communicator.h"

namespace crescendo {

// Opens the workers (open_workers()) and calls work(). An error that all of them throw is reported by rank 0.
// A worker that fails alone says so with its name, and ends all.
void with_workers(int64_t expected, const std::function<void(Communicator&)>& work);

}  // namespace crescendo

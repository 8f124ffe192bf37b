// An exchange of sums through host memory.
#pragma once

#include <memory>

#include "kernels/backend.h"

namespace crescendo {

// If the host can read the backend's memory, workers add up there, while the kernels called next run.
// Otherwise finish() copies the sums to the host and back. Both arguments must outlive the result. (Backends
// call this function, so that no instruction set has a copy of the class.)
std::unique_ptr<SumExchange> make_host_exchange(Backend& backend, Communicator& workers);

}  // namespace crescendo

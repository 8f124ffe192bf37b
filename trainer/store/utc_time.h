// The time as metrics, manifests and reports write it.
#pragma once

#include <string>

namespace crescendo {

// Returns the current time: UTC, ISO 8601, to the second.
std::string utc_time();

}  // namespace crescendo

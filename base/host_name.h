// The name of the machine.
#pragma once

#include <string>

namespace crescendo {

// Returns the machine's name in the network; "unknown" if the system has none.
std::string host_name();

}  // namespace crescendo

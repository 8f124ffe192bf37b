// The two element types of kernel operands (docs/tour.md).
//   real        parameters, statistics, losses and parameter gradients: float, or double in the build that
//               checks gradients numerically
//   activation  what flows between layers; opaque, because only a backend knows its width
//               (Capabilities::activation_bytes)
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/host_device.h"

namespace crescendo {

#ifdef CRESCENDO_DOUBLE
using real = double;
#else
using real = float;
#endif

class activation;  // never defined

// Says if a kernel overwrites its output or adds to it.
enum class Write { overwrite, add };

}  // namespace crescendo

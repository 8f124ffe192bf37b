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

// Says how a parameter's gradient from ghost batch `ghost` of a call is written. If the gradients of ghost
// batches lie `stride` elements apart, `write` holds for each of them. With stride 0 the first one is written
// so, and the others are added to it.
HD inline Write write_of_ghost(Write write, int64_t ghost, int64_t stride) {
  return stride == 0 && ghost > 0 ? Write::add : write;
}

}  // namespace crescendo

// The sizes of a kernel call as a short text: the second half of a benchmark's name.
#pragma once

#include <string>

#include "kernels/kernel_call.h"

namespace crescendo::bench {

// Returns e.g. "n32_h8_w8_c64_k64_r3_s3_t1_p1"; t is the stride, p the padding above and left. If the padding
// below or right makes a difference, the rows and columns of the output follow: "_o5x5".
std::string sizes_text(const KernelCall&);
// Returns e.g. "n4096", for n elements.
std::string sizes_text(int64_t n);

}  // namespace crescendo::bench

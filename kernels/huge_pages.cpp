#include "kernels/huge_pages.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>

namespace crescendo {

void prefer_huge_pages(void* block, size_t bytes) {
  constexpr size_t kHuge = size_t{2} << 20;
  if (bytes < 2 * kHuge) return;  // none would fit, or just one
  const auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  const uintptr_t begin = (reinterpret_cast<uintptr_t>(block) + page - 1) / page * page,
                  end = (reinterpret_cast<uintptr_t>(block) + bytes) / page * page;
  // Where the kernel knows none, nothing changes.
  (void)madvise(reinterpret_cast<void*>(begin), end - begin,
                MADV_HUGEPAGE);  // NOLINT(performance-no-int-to-ptr)
}

}  // namespace crescendo

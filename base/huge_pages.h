// Huge pages for large blocks of memory. With small pages, the first access to each costs as much as filling
// it.
#pragma once

#include <cstddef>

namespace crescendo {

// Asks the system to use huge pages for a block that has not been written to yet. A hint that affects only
// speed.
void prefer_huge_pages(void* block, size_t bytes);

}  // namespace crescendo

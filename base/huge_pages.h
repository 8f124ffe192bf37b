// Huge pages for large blocks of memory. With small pages, the first access to a page costs as much as
// filling the page.
#pragma once

#include <cstddef>

namespace crescendo {

// Asks the system to use huge pages for a block that has not been written to yet.
// This is a hint: it affects speed only.
void prefer_huge_pages(void* block, size_t bytes);

}  // namespace crescendo

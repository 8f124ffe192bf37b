#include "kernels/backend.h"

namespace crescendo {

// For backends that do not capture.
void Backend::call_host(const std::function<void()>& work) { work(); }

}  // namespace crescendo

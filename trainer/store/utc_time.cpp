#include "trainer/store/utc_time.h"

#include <ctime>

namespace crescendo {

std::string utc_time() {
  const std::time_t now = std::time(nullptr);
  std::tm calendar{};
  gmtime_r(&now, &calendar);
  char text[32];
  return {text, std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &calendar)};
}

}  // namespace crescendo

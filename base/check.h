// require(): the one way to reject input. The message names the op, what was found and what was expected, and
// reaches the user as one line: require(c == k, "conv2d: weight has ", k, " input channels but x has ", c).
#pragma once

#include <cstdint>
#include <sstream>
#include <stdexcept>
#include <string>

namespace crescendo {

template <class... Parts>
std::string join(const Parts&... parts) {
  std::ostringstream text;
  (text << ... << parts);
  return text.str();
}

// Throws std::invalid_argument with the joined parts unless `condition` holds.
template <class... Parts>
void require(bool condition, const Parts&... parts) {
  if (!condition) throw std::invalid_argument(join(parts...));
}

// a * b; throws std::invalid_argument naming `what` if the product does not fit 64 bits or a factor is
// negative.
inline int64_t checked_product(int64_t a, int64_t b, const char* what) {
  int64_t product = 0;
  require(a >= 0 && b >= 0 && !__builtin_mul_overflow(a, b, &product), what, ": ", a, " x ", b,
          " is not a size that fits 64 bits");
  return product;
}

}  // namespace crescendo

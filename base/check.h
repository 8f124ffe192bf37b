// require() is the one way to reject input. Its message is one line that names the op, what was found and
// what was expected: require(c == k, "conv2d: weight has ", k, " input channels but x has ", c).
#pragma once

#include <cstdint>
#include <sstream>
#include <stdexcept>
#include <string>

namespace crescendo {

// Returns the parts as one text, as operator<< prints them.
template <class... Parts>
std::string join(const Parts&... parts) {
  std::ostringstream text;
  (text << ... << parts);
  return text.str();
}

// Throws std::invalid_argument with the joined parts unless `condition` is true.
template <class... Parts>
void require(bool condition, const Parts&... parts) {
  if (!condition) throw std::invalid_argument(join(parts...));
}

// Returns a * b. Throws std::invalid_argument naming `what` if the product does not fit into 64 bits or a
// factor is negative.
inline int64_t checked_product(int64_t a, int64_t b, const char* what) {
  int64_t product = 0;
  require(a >= 0 && b >= 0 && !__builtin_mul_overflow(a, b, &product), what, ": ", a, " x ", b,
          " is not a size that fits 64 bits");
  return product;
}

}  // namespace crescendo

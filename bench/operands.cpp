#include "operands.h"

#include <algorithm>

#include "tests/support/random.h"

namespace crescendo::bench {

std::vector<float> repeated_noise(int64_t n) {
  constexpr int64_t kPeriod = 4099;  // prime, so that no tensor's rows are alike
  const std::vector<real> noise = test::noise(std::min(n, kPeriod), 1);
  std::vector<float> values(static_cast<size_t>(n));
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(noise[i % noise.size()]);
  return values;
}

activation* Operands::activations(int64_t n) {
  if (backend_ == nullptr) return nullptr;
  auto* to =
      static_cast<activation*>(allocate(static_cast<size_t>(n) * backend_->capabilities().activation_bytes));
  backend_->upload_activations(n, repeated_noise(n).data(), to);
  return to;
}

real* Operands::reals(int64_t n) {
  if (backend_ == nullptr) return nullptr;
  const std::vector<float> noise = repeated_noise(n);
  return stored(std::vector<real>(noise.begin(), noise.end()));
}

real* Operands::reals(int64_t n, real value) {
  return backend_ != nullptr ? stored(std::vector<real>(static_cast<size_t>(n), value)) : nullptr;
}

activation* Operands::copy(int64_t n) {
  if (backend_ == nullptr) return nullptr;
  const size_t element = backend_->capabilities().activation_bytes;
  if (element == sizeof(real)) return nullptr;
  return static_cast<activation*>(allocate(static_cast<size_t>(n) * element));
}

void* Operands::allocate(size_t bytes) {
  const auto release = [backend = backend_, bytes](void* block) { backend->release(block, bytes); };
  return blocks_.emplace_back(backend_->allocate(bytes), release).get();
}

}  // namespace crescendo::bench

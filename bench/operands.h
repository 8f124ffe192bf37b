// Operands of kernels: backend memory that is filled once, shared by copies and released with the last of
// them.
#pragma once

#include <algorithm>
#include <memory>
#include <vector>

#include "kernels/backend.h"
#include "tests/support/random.h"

namespace crescendo::bench {

inline std::shared_ptr<void> allocate(Backend& backend, size_t bytes) {
  return {backend.allocate(bytes), [&backend, bytes](void* block) { backend.release(block, bytes); }};
}

// n values in [-1, 1), repeating after a few thousand: drawing each would take longer than any kernel.
template <class T>
std::vector<T> repeated_noise(int64_t n) {
  constexpr int64_t kPeriod = 4099;  // prime, so that no tensor's rows are alike
  const std::vector<real> noise = test::noise(std::min(n, kPeriod), 1);
  std::vector<T> values(static_cast<size_t>(n));
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<T>(noise[i % noise.size()]);
  return values;
}

class Activations {
 public:
  Activations(Backend& backend, int64_t n)
      : memory_(allocate(backend, static_cast<size_t>(n) * backend.activation_bytes())) {
    backend.upload_activations(n, repeated_noise<float>(n).data(), *this);
  }
  operator activation*() const { return static_cast<activation*>(memory_.get()); }

 private:
  std::shared_ptr<void> memory_;
};

// Room for the optimizer's copy of n parameters; null where activations are reals, as its contract has it.
class Copy {
 public:
  Copy(Backend& backend, int64_t n) {
    const size_t element = backend.activation_bytes();
    if (element != sizeof(real)) memory_ = allocate(backend, static_cast<size_t>(n) * element);
  }
  operator activation*() const { return static_cast<activation*>(memory_.get()); }

 private:
  std::shared_ptr<void> memory_;
};

class Reals {
 public:
  Reals(Backend& backend, int64_t n) : Reals(backend, n, repeated_noise<real>(n)) {}
  Reals(Backend& backend, int64_t n, real value)
      : Reals(backend, n, std::vector<real>(static_cast<size_t>(n), value)) {}
  operator real*() const { return static_cast<real*>(memory_.get()); }

 private:
  Reals(Backend& backend, int64_t n, const std::vector<real>& values)
      : memory_(allocate(backend, static_cast<size_t>(n) * sizeof(real))) {
    backend.upload(values.data(), memory_.get(), values.size() * sizeof(real));
  }
  std::shared_ptr<void> memory_;
};

// Room for n values of T, starting as zeros: labels, winners, results.
template <class T>
class Zeros {
 public:
  Zeros(Backend& backend, int64_t n) : memory_(allocate(backend, static_cast<size_t>(n) * sizeof(T))) {
    const std::vector<T> zeros(static_cast<size_t>(n));
    backend.upload(zeros.data(), memory_.get(), zeros.size() * sizeof(T));
  }
  operator T*() const { return static_cast<T*>(memory_.get()); }

 private:
  std::shared_ptr<void> memory_;
};

}  // namespace crescendo::bench

// Operands of the kernels that are timed.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "kernels/backend.h"

namespace crescendo::bench {

// Returns n values that lie in [-1, 1) and repeat after a few thousand. To draw each of them would take
// longer than any kernel.
std::vector<float> repeated_noise(int64_t n);

// Backend memory that is filled once and released with this object.
class Operands {
 public:
  // Makes all pointers null. That is enough for the name, the sizes and the work of a call.
  Operands() = default;
  explicit Operands(Backend& backend) : backend_(&backend) {}

  activation* activations(int64_t n);  // noise
  real* reals(int64_t n);              // noise
  real* reals(int64_t n, real value);  // all equal to `value`
  template <class T>
  T* zeros(int64_t n) {
    return backend_ != nullptr ? stored(std::vector<T>(static_cast<size_t>(n))) : nullptr;
  }
  // Returns memory for an optimizer's copy of n parameters as activations; null if activations are reals.
  activation* copy(int64_t n);

  // Runs a call whose result is an operand of another call.
  void run(const KernelCall& call) {
    if (backend_ != nullptr) backend_->run(call);
  }

 private:
  void* allocate(size_t bytes);
  template <class T>
  T* stored(const std::vector<T>& values) {
    const size_t bytes = values.size() * sizeof(T);
    void* to = allocate(bytes);
    backend_->upload(values.data(), to, bytes);
    return static_cast<T*>(to);
  }

  Backend* backend_ = nullptr;
  std::vector<std::unique_ptr<void, std::function<void(void*)>>> blocks_;
};

}  // namespace crescendo::bench

// Operands of the kernels that benchmarks time.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "kernels/backend.h"

namespace crescendo::bench {

// Returns n values in [-1, 1) that repeat after a few thousand: drawing each would take longer than any
// kernel.
std::vector<float> repeated_noise(int64_t n);

// Backend memory that is filled once and released with this object.
class Operands {
 public:
  // Without a backend all pointers are null: enough for the name, the sizes and the work of a call.
  Operands() = default;
  explicit Operands(Backend& backend) : backend_(&backend) {}

  activation* activations(int64_t n);  // noise
  real* reals(int64_t n);              // noise
  real* reals(int64_t n, real value);  // all alike
  template <class T>
  T* zeros(int64_t n) {
    return backend_ != nullptr ? stored(std::vector<T>(static_cast<size_t>(n))) : nullptr;
  }
  // Returns room for the optimizer's copy of n parameters; null where activations are reals, as the
  // optimizers' contract has it.
  activation* copy(int64_t n);

  // Runs a call that computes an operand of another.
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

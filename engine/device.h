// Where tensors live and kernels run: a backend and its allocator, shared by value.
#pragma once

#include <memory>
#include <string>

#include "engine/allocator.h"

namespace crescendo {

class Device {
 public:
  // The processor. `threads` 0 means one per core. The number changes speed only, never a bit of a result.
  static Device cpu(int threads = 0, ConvolutionAlgorithm = ConvolutionAlgorithm::automatic);
  // Computes nothing and touches no memory: counts the multiply-adds and the bytes that a model would need.
  static Device dry_run(int threads = 0, ConvolutionAlgorithm = ConvolutionAlgorithm::automatic);

  // Any backend: one that passes calls on and watches them, say.
  explicit Device(std::unique_ptr<Backend> backend);

  // The instruction set that the processor's kernels were compiled for, e.g. "AVX2 FMA".
  static std::string instruction_set();

  Backend& kernels() const;
  Allocator& memory() const;
  bool operator==(const Device& other) const { return state_ == other.state_; }

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace crescendo

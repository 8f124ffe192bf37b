// Where tensors live and kernels run: a backend and its allocator, shared by value.
#pragma once

#include <memory>

#include "engine/allocator.h"
#include "kernels/instruction_set.h"
#include "kernels/precision.h"

namespace crescendo {

class Device {
 public:
  // The processor. `threads` 0 means one per core. The number changes speed only, never a bit of a result.
  // Throws std::invalid_argument if the instruction set is not among instruction_sets().
  static Device cpu(int threads = 0, ConvolutionAlgorithm = ConvolutionAlgorithm::automatic,
                    InstructionSet = InstructionSet::automatic);
  // The GPU of that number. Throws std::invalid_argument if there is none, if it has not the precision, or in
  // a program built without CUDA.
  static Device cuda(int index = 0, Precision = Precision::fp32,
                     ConvolutionAlgorithm = ConvolutionAlgorithm::automatic);
  // Computes nothing and touches no memory: counts the multiply-adds and the bytes that a model would need on
  // `modelled`.
  static Device dry_run(const Device& modelled);

  // Any backend: one that passes calls on and watches them, say.
  explicit Device(std::unique_ptr<Backend> backend);

  // Reserves the workspace that the call needs, and runs it.
  void run(const KernelCall&) const;
  Backend& backend() const;
  Allocator& memory() const;
  bool operator==(const Device& other) const { return state_ == other.state_; }

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace crescendo

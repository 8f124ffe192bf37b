// Device: where tensors live and kernels run. A backend and its allocator, shared by value.
#pragma once

#include <memory>

#include "engine/allocator.h"
#include "kernels/instruction_set.h"
#include "kernels/precision.h"

namespace crescendo {

class Device {
 public:
  // Returns the CPU. `threads` 0 means one per core; the number affects speed, never results. Throws
  // std::invalid_argument if the instruction set is not among instruction_sets(), or if the convolution
  // algorithm exists on GPUs only.
  static Device cpu(int threads = 0, ConvolutionAlgorithm = ConvolutionAlgorithm::automatic,
                    InstructionSet = InstructionSet::automatic);
  // Returns the GPU with this index, from 0. Throws std::invalid_argument if there is none, if it does not
  // support the precision, or if the program was built without CUDA.
  static Device cuda(int index = 0, Precision = Precision::fp32,
                     ConvolutionAlgorithm = ConvolutionAlgorithm::automatic);
  // Returns the number of GPUs that this process may use.
  static int count_gpus();
  // Returns a device that computes nothing and touches no memory. It counts the multiply-adds and the bytes
  // that a model would need on `modelled`.
  static Device dry_run(const Device& modelled);

  // Makes a device of any backend, for example of one that watches calls and passes them on.
  explicit Device(std::unique_ptr<Backend> backend);

  // Reserves the workspace that the call needs, and runs it.
  void run(const KernelCall&) const;
  Backend& backend() const;
  std::shared_ptr<const Backend> shared_backend() const;  // outlives the device
  Allocator& memory() const;
  bool operator==(const Device& other) const { return state_ == other.state_; }

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace crescendo

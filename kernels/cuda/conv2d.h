// cuDNN's convolutions: NHWC, cross-correlation, sums in fp32. The plan for a geometry and pass is made once.
//
// An engine and its settings are chosen for one ghost batch. They then serve any number of images and both
// kinds of Write, so results do not depend on the micro-batch; another engine is chosen only if this one
// refuses. Engines whose results vary from run to run are never chosen.
#pragma once

#include <cuda_runtime.h>
#include <cudnn.h>

#include <optional>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>

#include "kernels/cuda/libraries.h"
#include "kernels/cuda/library_kernels.h"
#include "kernels/precision.h"

namespace crescendo::cuda {

enum class Pass { forward, backward_data, backward_weight };

class Convolutions final : public ConvolutionLibrary {
 public:
  Convolutions(Precision, cudaStream_t);

  // Makes the plans of all passes, and returns the bytes of the largest workspace among them.
  size_t workspace(const Conv2dGeometry&) override;

  // Throw std::runtime_error if cuDNN has no engine.
  void forward(const Conv2dGeometry&, const void* x, const void* weight, void* y, void* workspace) override;
  void backward_data(const Conv2dGeometry&, const void* dy, const void* weight, void* dx, Write,
                     void* workspace) override;
  void backward_weight(const Conv2dGeometry&, const void* x, const void* dy, void* dweight, Write,
                       void* workspace) override;

 private:
  // An engine with its settings, which decide how results are rounded.
  struct Engine {
    int64_t index;
    std::vector<std::pair<cudnnBackendKnobType_t, int64_t>> knobs;
  };
  struct Plan {
    Descriptor descriptor;
    size_t workspace;
  };
  struct Operands {
    const void *x, *weight, *y;  // the pass writes to one of them
  };
  struct Key {
    Conv2dGeometry geometry;
    Pass pass;
    Write write;
    bool operator==(const Key&) const = default;
  };
  struct Hash {
    size_t operator()(const Key&) const;
  };

  const std::optional<Plan>& plan(const Key&);
  const std::optional<Engine>& engine(const Conv2dGeometry&, Pass);
  std::optional<Plan> make_plan(const Key&);
  std::optional<Engine> choose_engine(const Conv2dGeometry&, Pass);
  std::optional<Engine> first_engine(const Descriptor& graph, cudnnBackendHeurMode_t);
  // Returns nothing if the engine is not allowed or makes no plan.
  std::optional<Engine> usable_engine(const Descriptor& graph, const Descriptor& configuration) const;
  bool is_allowed(const Descriptor& engine) const;
  Descriptor graph(const Key&) const;
  Plan finished_plan(const Descriptor& configuration) const;
  void run(const Key&, const Operands&, void* workspace);

  // Returns f(), an optional, or nothing if cuDNN refuses.
  template <class F>
  std::invoke_result_t<F> attempt(const F& f) {
    try {
      return f();
    } catch (const std::runtime_error& error) {
      refusal_ = error.what();
      return std::nullopt;
    }
  }

  Precision precision_;
  Owned<cudnnHandle_t, cudnnDestroy> handle_;
  std::unordered_map<Key, std::optional<Engine>, Hash> engines_;
  std::unordered_map<Key, std::optional<Plan>, Hash> plans_;
  std::string refusal_ = "none is allowed";  // cuDNN's last message, for the error of a pass without a plan
};

}  // namespace crescendo::cuda

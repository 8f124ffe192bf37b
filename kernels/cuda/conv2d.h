// cuDNN's convolutions: NHWC, cross-correlation, sums in fp32; a plan for each geometry and pass, made once.
//
// An engine, with its settings, is chosen for one ghost batch and then serves any number of images and both
// kinds of Write: so results do not depend on the micro-batch. Only where it refuses those is there another.
// Engines whose results vary from run to run are never chosen.
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
#include "kernels/geometry.h"
#include "kernels/precision.h"
#include "kernels/real.h"

namespace crescendo::cuda {

enum class Pass { forward, backward_data, backward_weight };

class Convolutions {
 public:
  Convolutions(Precision, cudaStream_t);

  // Bytes that any pass needs, with either Write. Makes the plans.
  size_t workspace(const Conv2dGeometry&);

  // As in kernels/backend.h, without bias; none of the sizes is zero. backward_weight takes the geometry of
  // one ghost batch, and its result is of the activations' type: cuDNN has no engine from bf16 to fp32.
  // Throw std::runtime_error where cuDNN has no engine.
  void forward(const Conv2dGeometry&, const void* x, const void* weight, void* y, void* workspace);
  void backward_data(const Conv2dGeometry&, const void* dy, const void* weight, void* dx, Write,
                     void* workspace);
  void backward_weight(const Conv2dGeometry&, const void* x, const void* dy, void* dweight, Write,
                       void* workspace);

 private:
  // What decides how a result is rounded.
  struct Engine {
    int64_t index;
    std::vector<std::pair<cudnnBackendKnobType_t, int64_t>> knobs;
  };
  struct Plan {
    Descriptor descriptor;
    size_t workspace;
  };
  struct Operands {
    const void *x, *weight, *y;  // one of them is the result, which is written to
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
  // Nothing where it is not allowed, or makes no plan.
  std::optional<Engine> usable_engine(const Descriptor& graph, const Descriptor& configuration) const;
  bool is_allowed(const Descriptor& engine) const;
  Descriptor graph(const Key&) const;
  Plan finished_plan(const Descriptor& configuration) const;
  void run(const Key&, const Operands&, void* workspace);

  // What f returns, an optional; nothing where cuDNN refuses.
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
  std::string refusal_ = "none is allowed";  // cuDNN's last words, for the error of a pass without a plan
};

}  // namespace crescendo::cuda

// The accuracy and loss of a model over a whole data set, each sample once.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "kernels/communicator.h"
#include "models/model.h"
#include "trainer/step/device_data.h"

namespace crescendo {

struct Evaluation {
  int64_t correct = 0, total = 0;
  // Mean cross-entropy without label smoothing; NaN if an image's is not finite, or 2^30 / total or more.
  double loss = 0;
  double accuracy() const { return total ? static_cast<double>(correct) / static_cast<double>(total) : 0; }
};

struct EvaluationOptions {
  int64_t micro_batch = 128;
  int loader_threads = 1;
  std::function<bool()> stop;  // called between micro-batches; true ends the evaluation
  std::function<void(int64_t done, int64_t of)> progress;  // called after each micro-batch of this worker
};

// Evaluates a model; each worker takes its share of the data and gets the result for all. Returns none if one
// of them was stopped. The result depends neither on the options nor on the number of workers.
std::optional<Evaluation> evaluate(const Model&, const DeviceData&, const EvaluationOptions&,
                                   Communicator& workers);

}  // namespace crescendo

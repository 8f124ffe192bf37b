// RUN on the command line, ready to use: its model with the weights of a checkpoint.
#pragma once

#include <memory>
#include <string>

#include "engine/device.h"
#include "models/model.h"
#include "trainer/checkpoint.h"
#include "trainer/options.h"

namespace crescendo {

struct LoadedRun {
  std::string checkpoint;  // path
  CheckpointInfo info;
  TrainOptions options;  // it was trained with
  Device device;
  std::unique_ptr<Model> model;  // allocated, weights and running statistics loaded
};

// `run` is a run folder or a checkpoint file. Throws std::invalid_argument with one line.
LoadedRun load_run(const std::string& run, int threads);

}  // namespace crescendo

// The RUN argument of a command, loaded: a model with the weights of a checkpoint.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "engine/device.h"
#include "kernels/communicator.h"
#include "models/model.h"
#include "trainer/options/options.h"
#include "trainer/store/checkpoint.h"

namespace crescendo {

struct LoadedRun {
  std::string checkpoint;  // path of the file
  CheckpointInfo info;
  TrainOptions options;  // of the run, with the device of `Computer`
  Device device;
  std::unique_ptr<Model> model;  // allocated, weights and running statistics loaded
};

// The device that a command computes on.
struct Computer {
  int threads = 0;
  std::string device = "cpu";
  Precision precision = Precision::fp32;
};
void add_computer_options(CLI::App& command, Computer& computer);

// Loads a run folder's newest checkpoint, or a checkpoint file; of several workers only rank 0 reads it. Throws
// std::invalid_argument with one line.
LoadedRun load_run(const std::string& run, const Computer& computer, Communicator& workers);

}  // namespace crescendo

// RUN on the command line, ready to use: its model with the weights of a checkpoint.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "engine/device.h"
#include "models/model.h"
#include "trainer/options/options.h"
#include "trainer/store/checkpoint.h"

namespace crescendo {

struct LoadedRun {
  std::string checkpoint;  // path
  CheckpointInfo info;
  TrainOptions options;  // it was trained with, on the computer asked for
  Device device;
  std::unique_ptr<Model> model;  // allocated, weights and running statistics loaded
};

// What it is to compute on.
struct Computer {
  int threads = 0;
  std::string device = "cpu";
  Precision precision = Precision::fp32;
};
void add_computer_options(CLI::App& command, Computer& computer);

// `run` is a run folder or a checkpoint file. Throws std::invalid_argument with one line.
LoadedRun load_run(const std::string& run, const Computer& computer);

}  // namespace crescendo

// The options of a training run. Fields have the names of the flags of `crescendo train` and of the keys in
// config.toml; option_table.cpp describes each for users.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "engine/tape.h"
#include "kernels/geometry.h"
#include "kernels/instruction_set.h"
#include "kernels/precision.h"
#include "models/model.h"
#include "trainer/schedule/schedule.h"

namespace crescendo {

enum class OptimizerKind { sgd, momentum, nesterov, adam };

struct TrainOptions {
  // Model and data
  std::string model = "wrn-16-4";
  bool zero_gamma = false;      // ResNets: the scale of a residual block's last norm starts at 0
  bool norm_scale = true;       // Inception-ResNet-v2: norms have a scale
  double auxiliary_weight = 0;  // Inception-ResNet-v2: weight of the auxiliary head's loss; 0: no such head
  std::string data = "shapes";  // cifar10, cifar100, shapes, image-folder
  std::string data_dir;
  std::string val_dir;                     // image-folder: test images; empty: val in data_dir
  int64_t image_size = 0;                  // image-folder: height and width; 0: the model's own
  int64_t train_images = 0;                // 0: all
  Augment augment = Augment::standard;     // standard|goyal|inception|none
  BadImages bad_images = BadImages::fail;  // fail|skip|substitute
  bool shuffle = true;                     // a new order each epoch
  uint64_t seed = 1;
  std::string init;  // run, checkpoint or PyTorch file with the initial weights

  // Optimizer and schedule
  double epochs = 200;
  OptimizerKind optimizer = OptimizerKind::momentum;
  double learning_rate = 0.1, momentum = 0.9, weight_decay = 5e-4;
  double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;  // Adam
  bool no_decay_norm = false;
  double label_smoothing = 0;
  int64_t batch = 128, ghost_batch = 128;
  bool exact_sum = sizeof(real) == sizeof(float);  // sums over ghost batches: exact|float
  RunningStatistics running_statistics = RunningStatistics::sequential;  // sequential|mean

  BaseSchedule schedule = BaseSchedule::step;
  std::vector<double> milestones;
  double factor = 5;
  double warmup_epochs = 0;
  Exchange exchange = Exchange::none;
  ExchangeRule exchange_rule = ExchangeRule::linear;
  int64_t max_batch = 0;
  EpochEdge epoch_edge = EpochEdge::straddle;

  // Machine
  std::string device = "cpu";             // cpu|cuda|cuda:N
  Precision precision = Precision::fp32;  // fp32|tf32|bf16
  int64_t micro_batch = 0;                // images per forward and backward pass; 0: auto
  int threads = 0;                        // 0: one per core
  ConvolutionAlgorithm convolution = ConvolutionAlgorithm::automatic;  // auto|winograd|direct|own
  InstructionSet instruction_set = InstructionSet::automatic;          // auto|avx512|avx2|generic
  int loader_threads = 1;                                              // background threads that load images
  bool noise_scale = false;                                            // measure B_simple
  int64_t workers = 0;       // worker processes; 0: as many as were started
  bool balance = false;      // slower workers take fewer ghost batches
  int64_t verify_every = 0;  // updates between repetitions of a ghost batch by a neighbour; 0: never

  // Run
  std::string run_dir;
  bool resume = false;
  int64_t max_updates = -1;      // stop after this update; 0: save and stop; -1: all
  double eval_every = 1;         // epochs between evaluations; 0: only at the end
  int64_t checkpoint_every = 0;  // updates between checkpoints; 0: about one an epoch
  int64_t keep = 3;              // number of newest checkpoints kept
  bool quiet = false;

  bool operator==(const TrainOptions&) const = default;
};

// Returns the options of the model.
ModelOptions model_options(const TrainOptions&, int64_t classes, int64_t image_channels = 3);

// Returns the options of the schedule for a training set of known size.
ScheduleOptions schedule_options(const TrainOptions&, int64_t train_images);

// Returns the options of the data set, with the model's own image size where none is given.
DatasetOptions dataset_options(const TrainOptions&);

// Throws std::invalid_argument with the option, the value found and the value expected.
void validate(const TrainOptions&);

}  // namespace crescendo

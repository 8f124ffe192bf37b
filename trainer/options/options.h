// Everything a training run is told, under the names of the command line's flags and the configuration file's
// keys.
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
  // What to train, and on what
  std::string model = "wrn-16-4";
  bool zero_gamma = false;      // --zero-gamma on|off: ResNets: last scale of a residual block starts at 0
  bool norm_scale = true;       // --norm-scale on|off: Inception-ResNet-v2: norms have a scale
  double auxiliary_weight = 0;  // Inception-ResNet-v2: of the auxiliary head's loss; 0: no such head
  std::string data = "shapes";  // cifar10, cifar100, shapes, image-folder
  std::string data_dir;
  std::string val_dir;                     // image-folder: of the test images; empty: val in data_dir
  int64_t image_size = 0;                  // image-folder: height and width; 0: what the model was made for
  int64_t train_images = 0;                // the first so many; 0: all
  Augment augment = Augment::standard;     // standard|goyal|inception|none
  BadImages bad_images = BadImages::fail;  // fail|skip|substitute
  bool shuffle = true;                     // --shuffle on|off
  uint64_t seed = 1;
  std::string init;  // a checkpoint, or a file from PyTorch, with the weights to start from

  // For how long, and how
  double epochs = 200;
  OptimizerKind optimizer = OptimizerKind::momentum;
  double learning_rate = 0.1, momentum = 0.9, weight_decay = 5e-4;
  double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;  // Adam
  bool no_decay_norm = false;
  double label_smoothing = 0;
  int64_t batch = 128, ghost_batch = 128;
  RunningStatistics running_statistics = RunningStatistics::sequential;  // sequential|mean

  BaseSchedule schedule = BaseSchedule::step;
  std::vector<double> milestones;
  double factor = 5;
  double warmup_epochs = 0;
  Exchange exchange = Exchange::none;
  ExchangeRule exchange_rule = ExchangeRule::linear;
  int64_t max_batch = 0;
  EpochEdge epoch_edge = EpochEdge::straddle;

  // On this machine
  std::string device = "cpu";             // cpu|cuda|cuda:N
  Precision precision = Precision::fp32;  // fp32|tf32|bf16
  int64_t micro_batch = 0;                // --micro-batch auto|N: images computed at once; 0: auto
  int threads = 0;                        // 0: one a core
  ConvolutionAlgorithm convolution = ConvolutionAlgorithm::automatic;  // auto|winograd|direct|own
  InstructionSet instruction_set = InstructionSet::automatic;          // auto|avx512|avx2|generic
  int loader_threads = 1;    // --loader-threads: background threads that prepare images
  bool noise_scale = false;  // --noise-scale on|off: measure B_simple

  // The run
  std::string run_dir;
  bool resume = false;
  int64_t max_updates = -1;      // stop after so many of the run's updates; 0: save and stop; -1: all
  double eval_every = 1;         // epochs between evaluations; 0: only at the end
  int64_t checkpoint_every = 0;  // updates between checkpoints; 0: about one an epoch
  int64_t keep = 3;              // newest checkpoints kept
  bool quiet = false;

  bool operator==(const TrainOptions&) const = default;
};

// The part that decides what the model is.
ModelOptions model_options(const TrainOptions&, int64_t classes, int64_t image_channels = 3);

// The part that decides what is trained with when; the training set's size must be known.
ScheduleOptions schedule_options(const TrainOptions&, int64_t train_images);

// What to open, with the image size that the model was made for where none is given.
DatasetOptions dataset_options(const TrainOptions&);

// Throws std::invalid_argument: which option, what was found, what was expected.
void validate(const TrainOptions&);

}  // namespace crescendo

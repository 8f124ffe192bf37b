// The plan of a run, from its options alone: segments of equal batch, the number of updates beside that of
// the decaying schedule, and warnings.
#pragma once

#include <string>
#include <vector>

#include "trainer/options/options.h"

namespace crescendo {

// A segment of the run with one batch and one learning rate. In warm-up, cosine and linear schedules the
// learning rate goes from `learning_rate` to `last_learning_rate`.
struct PlanSegment {
  double first_epoch = 0, epochs = 0;
  int64_t batch = 0;
  double learning_rate = 0, last_learning_rate = 0;
  double momentum = 0;
  double noise_scale = 0, last_noise_scale = 0;
  int64_t updates = 0;
};

struct Plan {
  int64_t train_images = 0;
  int64_t ghost_batch = 0;
  double epochs = 0;
  std::vector<PlanSegment> segments;
  int64_t updates = 0;
  // Updates and batch of the same options with exchange none.
  int64_t decaying_updates = 0, decaying_batch = 0;
  std::vector<std::string> warnings;
};

// Returns the plan of these options. The number of images is options.train_images or, if that is 0, that of
// dataset_traits() (data/dataset.h), which opens no image. Throws std::invalid_argument for options that
// cannot be trained with.
Plan make_plan(const TrainOptions& options);

}  // namespace crescendo

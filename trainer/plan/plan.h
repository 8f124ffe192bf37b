// What a run's options come to, before any of it is computed: its stretches of equal batch, its updates
// beside those of the decaying schedule, what they would take on many workers, and what will not work.
#pragma once

#include <string>
#include <vector>

#include "trainer/options/options.h"

namespace crescendo {

// A stretch of the run with one batch and one learning rate; of warm-up, cosine and linear schedules one
// batch, with the learning rate going from `learning_rate` to `last_learning_rate`.
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
  // The same options with exchange none: each of its updates takes the first batch.
  int64_t decaying_updates = 0, decaying_batch = 0;
  std::vector<std::string> warnings;
};

// Throws std::invalid_argument for options that cannot be trained with. The images come first of
// options.train_images and then of the data set as published, found without its files.
Plan make_plan(const TrainOptions& options);

// Workers that each take one ghost batch at a time, all equally fast; exchanging gradients costs nothing.
struct Workers {
  int64_t count = 0;
  double seconds_per_ghost = 0;
};

// Of `updates` updates of `batch` images.
double predicted_seconds(int64_t updates, int64_t batch, int64_t ghost_batch, const Workers& workers);
double predicted_seconds(const Plan& plan, const Workers& workers);

// What is lost with more workers than an update has ghost batches; empty if nothing is.
std::string idle_workers(const Plan& plan, const Workers& workers);

}  // namespace crescendo

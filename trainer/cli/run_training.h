// A training run as the commands start it: with the facts of this build in its manifest and a report at the
// end.
#pragma once

#include "trainer/options/options.h"
#include "trainer/trainer.h"

namespace crescendo {

// Trains `options` into options.run_dir and writes RUN/report.html there.
TrainResult run_training(const TrainOptions& options, Progress& progress);

}  // namespace crescendo

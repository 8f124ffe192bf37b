// A training run as the commands start it: its manifest has the facts of this build, and it ends with a report.
#pragma once

#include "kernels/communicator.h"
#include "trainer/options/options.h"
#include "trainer/trainer.h"

namespace crescendo {

// Trains with the given options in their run folder RUN, and writes RUN/report.html. Throws as Trainer does.
TrainResult run_training(const TrainOptions& given, Progress& progress, Communicator& workers);

}  // namespace crescendo

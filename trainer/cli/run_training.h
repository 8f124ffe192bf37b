// A training run as the commands start it: with the facts of this build in its manifest and a report at the
// end.
#pragma once

#include "trainer/options/options.h"
#include "trainer/trainer.h"

namespace crescendo {

// Trains as the given options say, into their run folder RUN, and writes RUN/report.html.
TrainResult run_training(const TrainOptions& given, Progress& progress);

}  // namespace crescendo

// The rules for resuming a run.
#pragma once

#include <string>

#include "trainer/options/options.h"

namespace crescendo {

// What --instruction-set auto means is settled: a resumed run's own, which gives the same bits, otherwise the
// best. Throws std::invalid_argument if this processor does not have it.
TrainOptions with_instruction_set(TrainOptions options);

// `saved_config` is the text of the run's config.toml. Throws std::invalid_argument naming the first option
// that decides what is computed and differs; options that only say how (threads, micro-batch, how often to
// save) may.
void require_same_run(const std::string& saved_config, const TrainOptions& options,
                      const std::string& checkpoint);

}  // namespace crescendo

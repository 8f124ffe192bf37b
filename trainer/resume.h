// What must agree between a run and its continuation.
#pragma once

#include <string>

#include "trainer/options.h"

namespace crescendo {

// `saved_config` is the text of the run's config.toml. Throws std::invalid_argument naming the first option
// that decides what is computed and differs; options that only say how (threads, micro-batch, how often to
// save) may.
void require_same_run(const std::string& saved_config, const TrainOptions& options,
                      const std::string& checkpoint);

}  // namespace crescendo

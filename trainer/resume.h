// The rules for resuming a run.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "kernels/communicator.h"
#include "trainer/options/options.h"

namespace crescendo {

// Returns the options in a checkpoint. Those from before the option gradient-sum have sums in float. The options
// of one start of a run (config_text()) have their defaults.
TrainOptions options_of_checkpoint(const std::string& config, const std::string& checkpoint);

// Returns the options with --instruction-set auto replaced by a set: the one of the run to resume, which
// gives the same bits, otherwise the best of this processor. A run to resume keeps its own --gradient-sum.
// Reads the header of the run's newest checkpoint only. Throws std::invalid_argument if this processor does
// not have the set. Several workers settle together, by what rank 0 finds, and throw SharedError; they need
// exact sums.
TrainOptions settled_options(TrainOptions options, Communicator& workers);

// Returns the options that all workers of a run must have in common: those that decide what is computed, and
// what they do together. Names with dashes, and values.
std::vector<std::pair<std::string, std::string>> common_options(const TrainOptions& options);

// Throws std::invalid_argument with the first option that decides what is computed and differs from
// `saved_config`, the text of the run's config.toml. Options that never change a result (threads,
// micro-batch, how often to save) may differ, and so may those that change only the rounding: instruction
// set, device, precision, and a convolution algorithm that the device does not support. `checkpoint` is for
// the message.
void require_same_run(const std::string& saved_config, const TrainOptions& options,
                      const std::string& checkpoint);

}  // namespace crescendo

// The flags of a training run, the same for all commands that have them.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "trainer/options/option_table.h"

namespace crescendo {

// Sets what a recipe, a configuration file or a flag gives.
using OptionChange = std::function<void(TrainOptions&)>;

// Binds --recipe, --config and a flag for every option to `options`, which must outlive `app`. Flags override
// the configuration file, which overrides the recipe, whatever their order on the command line. If `changes` is
// given, notes what sets options, to be applied to others in the same order.
void add_train_options(CLI::App& app, TrainOptions& options, std::vector<OptionChange>* changes = nullptr);

// Binds only the flags of the options `names`.
void add_some_options(CLI::App& app, TrainOptions& options, const std::set<std::string>& names);

}  // namespace crescendo

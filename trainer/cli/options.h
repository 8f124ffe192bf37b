// The flags of a training run, the same for all commands that have them.
#pragma once

#include <CLI/CLI.hpp>
#include <set>
#include <string>

#include "trainer/options/option_table.h"

namespace crescendo {

// Binds --recipe, --config and a flag for every option to `options`, which must outlive `app`. Flags override
// the configuration file, which overrides the recipe, whatever their order on the command line.
void add_train_options(CLI::App& app, TrainOptions& options);

// Binds only the flags of the options `names`.
void add_some_options(CLI::App& app, TrainOptions& options, const std::set<std::string>& names);

}  // namespace crescendo

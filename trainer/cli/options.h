// The flags that say what a run is: the same for all commands that have them.
#pragma once

#include <CLI/CLI.hpp>
#include <set>
#include <string>

#include "trainer/options/option_table.h"

namespace crescendo {

// Binds --recipe, --config and a flag for every option to `options`, which must outlive `app`. Flags win over
// the configuration file, and that over the recipe, in whatever order they stand.
void add_train_options(CLI::App& app, TrainOptions& options);

// The flags of these options alone.
void add_some_options(CLI::App& app, TrainOptions& options, const std::set<std::string>& names);

}  // namespace crescendo

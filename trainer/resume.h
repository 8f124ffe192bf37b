// What must agree between a run and its continuation.
#pragma once

#include <string>

namespace crescendo {

// Both are texts of config.toml. Throws std::invalid_argument naming the first option that decides what is
// computed and differs; options that only say how (threads, micro-batch, how often to save) may.
void require_same_run(const std::string& saved_config, const std::string& config,
                      const std::string& checkpoint);

}  // namespace crescendo

// The paper's runs, built into the library as configuration files (trainer/recipes/*.toml).
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace crescendo {

struct Recipe {
  std::string name;         // of its file, without .toml
  std::string description;  // its first line
  std::string_view text;    // for apply_config
};

// By name.
std::vector<Recipe> recipes();

// Throws std::invalid_argument naming the nearest way to find one.
Recipe find_recipe(const std::string& name);

}  // namespace crescendo

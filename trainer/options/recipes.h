// The runs of the paper, built into the library as configuration files (trainer/recipes/*.toml).
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace crescendo {

struct Recipe {
  std::string name;         // file name without .toml
  std::string description;  // its first line
  std::string_view text;    // for apply_config
};

// Returns all recipes, sorted by name.
std::vector<Recipe> recipes();

// Returns the recipe of that name. Throws std::invalid_argument that tells how to list them.
Recipe find_recipe(const std::string& name);

}  // namespace crescendo

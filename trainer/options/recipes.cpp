#include "trainer/options/recipes.h"

#include <algorithm>

#include "base/check.h"
#include "trainer/store/embedded.h"

namespace crescendo {

namespace {

constexpr std::string_view kFolder = "recipes/", kEnding = ".toml";

// Returns the text of the first line, which is a comment.
std::string description_of(std::string_view text) {
  const std::string_view line = text.substr(0, text.find('\n'));
  return std::string(line.substr(std::min(line.find_first_not_of("# "), line.size())));
}

}  // namespace

std::vector<Recipe> recipes() {
  std::vector<Recipe> recipes;
  for (const std::string& file : embedded_names()) {
    if (!file.starts_with(kFolder)) continue;
    const std::string_view text = embedded_file(file);
    recipes.push_back({file.substr(kFolder.size(), file.size() - kFolder.size() - kEnding.size()),
                       description_of(text), text});
  }
  std::sort(recipes.begin(), recipes.end(), [](const Recipe& a, const Recipe& b) { return a.name < b.name; });
  return recipes;
}

Recipe find_recipe(const std::string& name) {
  const std::vector<Recipe> all = recipes();
  const auto found =
      std::find_if(all.begin(), all.end(), [&](const Recipe& recipe) { return recipe.name == name; });
  require(found != all.end(), "recipe: there is no ", name, "; --recipe list names the ", all.size(),
          " there are");
  return *found;
}

}  // namespace crescendo

// Files built into the library: recipes, the report page and Chart.js (cmake/CrescendoEmbed.cmake).
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace crescendo {

// Returns the text of "report_page.html", "chart.js" or "recipes/NAME.toml"; empty if it was not built in.
std::string_view embedded_file(std::string_view name);

// Returns the names of all files built in.
std::vector<std::string> embedded_names();

}  // namespace crescendo

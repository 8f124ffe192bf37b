// The part of TOML that a flat configuration needs: key = value, where a value is a string, a number, true,
// false or an array of these, and # begins a comment.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace crescendo {

struct TomlEntry {
  std::string key;
  std::string value;  // as text, without quotes; an array's elements joined by commas
  int line = 0;
};

// In order. `name` is what messages call the text. Throws std::invalid_argument with name and line for what
// is not of this form, for tables, and for a key given twice.
std::vector<TomlEntry> read_toml(std::string_view text, const std::string& name);

// The string as TOML writes it, in double quotes.
std::string toml_string(std::string_view text);

}  // namespace crescendo

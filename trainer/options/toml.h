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

// Returns the entries in order. Messages call the text `name`. Throws std::invalid_argument with name and
// line for a line of another form, a table, or a key given twice.
std::vector<TomlEntry> read_toml(std::string_view text, const std::string& name);

// Returns the text as a TOML string, in double quotes.
std::string toml_string(std::string_view text);

}  // namespace crescendo

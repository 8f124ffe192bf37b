// Writes options as a configuration file and reads them from one.
#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <numeric>
#include <utility>

#include "base/check.h"
#include "trainer/options/option_table.h"
#include "trainer/options/toml.h"

namespace crescendo {

namespace {

// Returns the edit distance of two words (Levenshtein).
size_t distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 0; i < a.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i + 1);
    for (size_t j = 0; j < b.size(); ++j) {
      const size_t changed = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({changed, row[j] + 1, diagonal + 1});
    }
  }
  return row.back();
}

std::string nearest_name(std::string_view name) {
  const auto nearer = [&](const OptionField& a, const OptionField& b) {
    return distance(a.name, name) < distance(b.name, name);
  };
  return std::min_element(option_fields().begin(), option_fields().end(), nearer)->name;
}

std::string toml_value(const OptionField& field, const TrainOptions& options) {
  const std::string text = field.get(options);
  if (field.form == OptionForm::list) return "[" + text + "]";
  const bool number =
      field.form == OptionForm::number && text.find_first_not_of("0123456789.+-e") == std::string::npos;
  return number || field.form == OptionForm::flag ? text : toml_string(text);
}

// Options of one start of a run rather than of the run.
constexpr std::array<std::string_view, 4> kOfOneStart = {"workers", "resume", "max-updates", "quiet"};

}  // namespace

std::string config_text(const TrainOptions& options) {
  std::string text = "# The options of a training run: crescendo train --config FILE reads them.\n";
  std::string group;
  for (const OptionField& field : option_fields()) {
    if (std::find(kOfOneStart.begin(), kOfOneStart.end(), field.name) != kOfOneStart.end()) continue;
    if (field.group != group) text += "\n# " + field.group + "\n";
    group = field.group;
    text += field.name + " = " + toml_value(field, options) + "\n";
  }
  return text;
}

void apply_config(TrainOptions& options, std::string_view text, const std::string& name) {
  for (const TomlEntry& entry : read_toml(text, name)) {
    const auto field = std::find_if(option_fields().begin(), option_fields().end(),
                                    [&](const OptionField& field) { return field.name == entry.key; });
    require(field != option_fields().end(), name, ":", entry.line, ": unknown key ", entry.key,
            ", the nearest is ", nearest_name(entry.key));
    try {
      field->set(options, entry.value);
    } catch (const std::invalid_argument& error) {
      throw std::invalid_argument(join(name, ":", entry.line, ": ", error.what()));
    }
  }
}

void apply_config_file(TrainOptions& options, const std::string& path) {
  require(std::filesystem::is_regular_file(path), "config: ", path, " is not a file");
  std::ifstream file(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  require(file.good() || file.eof(), "config: ", path, " cannot be read");
  apply_config(options, text, path);
}

}  // namespace crescendo

// The one list of options, as text: the source of the command line's flags, config.toml and recipes.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "trainer/options/options.h"

namespace crescendo {

enum class OptionForm { number, word, text, list, flag };  // word: one of a list; flag: present or not

struct OptionField {
  std::string name;     // "learning-rate" is the flag --learning-rate and the key learning-rate
  std::string group;    // heading in the help text
  std::string values;   // values accepted: "N", "DIR", "none|hybrid|batch"
  std::string meaning;  // help text: meaning, unit, constraint
  OptionForm form;
  std::function<std::string(const TrainOptions&)> get;
  // Throws std::invalid_argument with the option, the value found and the value expected.
  std::function<void(TrainOptions&, const std::string&)> set;
};

const std::vector<OptionField>& option_fields();

// Returns the options as the text of config.toml, from which apply_config() reads equal ones; but not those that
// belong to one start of a run: workers, resume, max-updates and quiet.
std::string config_text(const TrainOptions& options);

// Sets the options that a configuration text gives. Messages call the text `name`. Throws
// std::invalid_argument with name, line and key for an unknown key or a bad value.
void apply_config(TrainOptions& options, std::string_view text, const std::string& name);

// Sets the options that the file at `path` gives. The file must exist.
void apply_config_file(TrainOptions& options, const std::string& path);

}  // namespace crescendo

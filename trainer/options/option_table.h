// Every field of TrainOptions as text: the one list behind the flags of the command line, config.toml and
// recipes.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "trainer/options/options.h"

namespace crescendo {

enum class OptionForm { number, word, text, list, flag };  // word: one of a few; flag: present or not

struct OptionField {
  std::string name;     // "learning-rate": the flag --learning-rate and the key learning-rate
  std::string group;    // of the help text
  std::string values;   // what may be given: "N", "DIR", "none|hybrid|batch"
  std::string meaning;  // one line
  OptionForm form;
  std::function<std::string(const TrainOptions&)> get;
  // Throws std::invalid_argument naming the option, what was found and what was expected.
  std::function<void(TrainOptions&, const std::string&)> set;
};

const std::vector<OptionField>& option_fields();

// All options as the text of config.toml. apply_config reads it back to equal options.
std::string config_text(const TrainOptions& options);

// Sets what a configuration file's text gives. `name` is what messages call it. Throws std::invalid_argument
// naming it, the line and the key for keys and values there are not.
void apply_config(TrainOptions& options, std::string_view text, const std::string& name);

// The same for a file, which must exist.
void apply_config_file(TrainOptions& options, const std::string& path);

}  // namespace crescendo

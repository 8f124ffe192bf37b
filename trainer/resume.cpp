#include "trainer/resume.h"

#include <algorithm>
#include <array>
#include <map>
#include <sstream>

#include "engine/check.h"

namespace crescendo {
namespace {

// Options that change speed, output or when to stop, never a result.
constexpr std::array kFree = {"data-dir", "threads", "loader-threads", "micro-batch",
                              "run-dir",  "resume",  "max-updates",    "checkpoint-every",
                              "keep",     "quiet",   "init",           "eval-every"};

// "key=value" lines; comments and sections are passed over.
std::map<std::string, std::string> options_of(const std::string& config) {
  std::map<std::string, std::string> options;
  std::istringstream lines(config);
  const auto trimmed = [](const std::string& text) {
    const size_t first = text.find_first_not_of(" \t\r");
    return first == text.npos ? "" : text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
  };
  for (std::string line; std::getline(lines, line);) {
    const size_t equals = line.find('=');
    const std::string key = trimmed(line.substr(0, equals));
    if (equals == line.npos || key.starts_with('#')) continue;
    if (std::find(kFree.begin(), kFree.end(), key) == kFree.end())
      options[key] = trimmed(line.substr(equals + 1));
  }
  return options;
}

}  // namespace

void require_same_run(const std::string& saved_config, const std::string& config,
                      const std::string& checkpoint) {
  const auto saved = options_of(saved_config), now = options_of(config);
  const auto value = [](const auto& options, const std::string& key) {
    const auto found = options.find(key);
    return found == options.end() ? std::string("not set") : found->second;
  };
  for (const auto& [key, found] : now)
    require(value(saved, key) == found, "--resume: --", key, " is ", found, " but ", checkpoint,
            " was trained with ", value(saved, key));
  for (const auto& [key, found] : saved)
    require(now.contains(key), "--resume: --", key, " is not set but ", checkpoint, " was trained with ",
            found);
}

}  // namespace crescendo

#include "trainer/resume.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "engine/check.h"
#include "trainer/option_table.h"

namespace crescendo {
namespace {

// Options that change speed, output, or where a run reads, writes and stops, never a result.
constexpr std::array<std::string_view, 12> kFree = {
    "data-dir", "init",        "threads",    "loader-threads",   "micro-batch", "run-dir",
    "resume",   "max-updates", "eval-every", "checkpoint-every", "keep",        "quiet"};

}  // namespace

void require_same_run(const std::string& saved_config, const TrainOptions& options,
                      const std::string& checkpoint) {
  TrainOptions saved;
  apply_config(saved, saved_config, checkpoint);
  for (const OptionField& field : option_fields()) {
    if (std::find(kFree.begin(), kFree.end(), field.name) != kFree.end()) continue;
    require(field.get(saved) == field.get(options), "--resume: --", field.name, " is ", field.get(options),
            " but ", checkpoint, " was trained with ", field.get(saved));
  }
}

}  // namespace crescendo

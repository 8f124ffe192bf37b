#include "trainer/resume.h"

#include <algorithm>
#include <array>
#include <span>
#include <string_view>

#include "base/check.h"
#include "trainer/options/open_device.h"
#include "trainer/options/option_table.h"
#include "trainer/store/run_folder.h"
#include "trainer/workers/together.h"

namespace crescendo {
namespace {

// Options that never change a result. Each worker may have its own of these: where it reads and writes, and how
// it computes.
constexpr std::array<std::string_view, 11> kOwn = {"data-dir",       "val-dir",     "init",    "threads",
                                                   "loader-threads", "micro-batch", "workers", "run-dir",
                                                   "resume",         "keep",        "quiet"};
// All workers do these things together.
constexpr std::array<std::string_view, 5> kTogether = {"max-updates", "eval-every", "checkpoint-every",
                                                       "verify-every", "balance"};

// Options that change only the rounding. A run must be able to move to another machine, so the trainer warns.
// The same holds for a convolution algorithm that the new device does not support.
constexpr std::array<std::string_view, 3> kRounding = {"instruction-set", "device", "precision"};

bool is_among(std::span<const std::string_view> names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

}  // namespace

TrainOptions options_of_checkpoint(const std::string& config, const std::string& checkpoint) {
  TrainOptions saved;
  saved.exact_sum = false;
  apply_config(saved, config, checkpoint);
  // Earlier versions stored these too.
  const TrainOptions defaults;
  saved.workers = defaults.workers;
  saved.resume = defaults.resume;
  saved.max_updates = defaults.max_updates;
  saved.quiet = defaults.quiet;
  return saved;
}

namespace {

TrainOptions settle(TrainOptions options) {
  const auto checkpoint = options.resume ? newest_header_of(options.run_dir) : std::nullopt;
  if (checkpoint) {
    const TrainOptions saved = options_of_checkpoint(read_checkpoint_info(*checkpoint).config, *checkpoint);
    options.exact_sum = saved.exact_sum;
    const bool automatic = options.instruction_set == InstructionSet::automatic;
    if (automatic) options.instruction_set = saved.instruction_set;
    require(!automatic || has_instruction_set(saved.instruction_set), "--resume: ", *checkpoint,
            " was trained with ", name_of(saved.instruction_set),
            ", which this processor does not have: --instruction-set ",
            name_of(resolved(InstructionSet::automatic)), " goes on with slightly other rounding");
  }
  options.instruction_set = resolved(options.instruction_set);
  return options;
}

}  // namespace

TrainOptions settled_options(TrainOptions options, Communicator& workers) {
  together(workers, [&] {
    if (workers.rank() == 0) options = settle(options);
  });
  broadcast_value(workers, options.exact_sum);
  broadcast_value(workers, options.instruction_set);
  together(workers, [&] {
    require(workers.size() == 1 || options.exact_sum, "workers: found ", workers.size(),
            ", expected 1 with --gradient-sum float, whose sums depend on their order");
    resolved(options.instruction_set);  // throws where a worker's processor does not have it
  });
  return options;
}

std::vector<std::pair<std::string, std::string>> common_options(const TrainOptions& options) {
  std::vector<std::pair<std::string, std::string>> common;
  for (const OptionField& field : option_fields())
    if (!is_among(kOwn, field.name)) common.emplace_back("--" + field.name, field.get(options));
  return common;
}

void require_same_run(const std::string& saved_config, const TrainOptions& options,
                      const std::string& checkpoint) {
  const TrainOptions saved = options_of_checkpoint(saved_config, checkpoint);
  for (const OptionField& field : option_fields()) {
    const bool is_free = is_among(kOwn, field.name) || is_among(kTogether, field.name);
    if (is_free || is_among(kRounding, field.name)) continue;
    if (std::string_view(field.name) == "convolution" && !has_convolution(options, saved.convolution))
      continue;
    require(field.get(saved) == field.get(options), "--resume: --", field.name, " is ", field.get(options),
            " but ", checkpoint, " was trained with ", field.get(saved));
  }
}

}  // namespace crescendo

#include "trainer/cli/run_training.h"

#include <fmt/format.h>

#include <stdexcept>

#include "build_info.h"
#include "trainer/options/open_device.h"
#include "trainer/plan/plan.h"
#include "trainer/record/metrics.h"
#include "trainer/record/report.h"
#include "trainer/resume.h"
#include "trainer/store/file.h"

namespace crescendo {

namespace {

// Prints the median over the whole run, with all its segments.
void say_median(const TrainOptions& options, Progress& progress) {
  const auto median = median_accuracy(read_metrics(options.run_dir + "/metrics.jsonl").evaluations);
  if (median) progress.say(fmt::format("median test accuracy of the last 5 epochs: {:.2f} %", 100 * *median));
}

}  // namespace

TrainResult run_training(const TrainOptions& given, Progress& progress) {
  const TrainOptions options = settled_options(given);
  if (given.exact_sum != options.exact_sum)
    progress.say(fmt::format("this run began with --gradient-sum {}, and keeps it",
                             options.exact_sum ? "exact" : "float"));
  const Facts facts = {{"version", build_info::kVersion},
                       {"commit", build_info::kCommit},
                       {"compiler", fmt::format("{}, {}", build_info::kCompiler, build_info::kBuildType)},
                       {"libraries", build_info::kLibraries}};
  Trainer trainer(options, open_training_data(options), open_device(options), progress, facts);
  for (const std::string& warning : make_plan(options).warnings) progress.warn("warning: " + warning);
  TrainResult result = trainer.run();
  if (result.signal == 0 && result.counters.updates > 0) {
    const std::string page = options.run_dir + "/report.html";
    try {
      say_median(options, progress);
      write_report({options.run_dir}, page);
      progress.say("report: " + page);
    } catch (const std::invalid_argument& nothing) {  // stopped before the first train event
      progress.say(nothing.what());
    } catch (const FileError& error) {  // the run is finished and saved
      progress.warn(error.what());
    }
  }
  return result;
}

}  // namespace crescendo

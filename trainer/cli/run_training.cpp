#include "trainer/cli/run_training.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <stdexcept>

#include "build_info.h"
#include "trainer/options/open_device.h"
#include "trainer/plan/plan.h"
#include "trainer/record/metrics.h"
#include "trainer/record/report.h"
#include "trainer/resume.h"
#include "trainer/store/file.h"
#include "trainer/workers/placement.h"
#include "trainer/workers/roll_call.h"
#include "trainer/workers/together.h"

namespace crescendo {

namespace {

// Prints the median over the whole run, with all its segments.
void say_median(const TrainOptions& options, Progress& progress) {
  const auto median = median_accuracy(read_metrics(options.run_dir + "/metrics.jsonl").evaluations);
  if (median) progress.say(fmt::format("median test accuracy of the last 5 epochs: {:.2f} %", 100 * *median));
}

void report(const TrainOptions& options, Progress& progress) {
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

// Returns the facts that all workers must have in common.
RollCall roll(const TrainOptions& options, const TrainingData& data, const Device& device) {
  RollCall facts = common_options(options);
  facts.insert(facts.begin(), {{"version", build_info::kVersion},
                               {"commit", build_info::kCommit},
                               {"compiler", build_info::kCompiler},
                               {"libraries", build_info::kLibraries},
                               {"training data", data.train->digest()},
                               {"test data", data.test->digest()}});
  if (!device.backend().capabilities().is_host) facts.emplace_back("device", device.backend().name());
  return facts;
}

// Returns the options with the threads of this worker.
TrainOptions placed(TrainOptions options, Progress& progress, Communicator& workers) {
  if (workers.size() == 1) return options;
  const CoreShare share = core_share(workers);
  if (options.threads == 0) options.threads = threads_of_worker(share);
  if (options.threads * share.sharing > std::max(share.cores, share.sharing))
    progress.warn(fmt::format("warning: {} workers with {} threads each share {} cores", share.sharing,
                              options.threads, share.cores));
  return options;
}

}  // namespace

TrainResult run_training(const TrainOptions& given, Progress& progress, Communicator& workers) {
  const TrainOptions settled = settled_options(given, workers);
  if (given.exact_sum != settled.exact_sum)
    progress.say(fmt::format("this run began with --gradient-sum {}, and keeps it",
                             settled.exact_sum ? "exact" : "float"));
  const TrainOptions options = placed(settled, progress, workers);
  TrainingData data;
  std::optional<Device> device;
  together(workers, [&] {
    data = open_training_data(options);
    device = open_device(options, workers.local_rank());
  });
  call_roll(workers, roll(settled, data, *device));
  const Facts facts = {{"version", build_info::kVersion},
                       {"commit", build_info::kCommit},
                       {"compiler", fmt::format("{}, {}", build_info::kCompiler, build_info::kBuildType)},
                       {"libraries", build_info::kLibraries}};
  std::optional<Trainer> trainer;
  together(workers, [&] { trainer.emplace(options, data, *device, progress, facts, workers); });
  if (workers.rank() == 0)
    for (const std::string& warning : make_plan(options).warnings) progress.warn("warning: " + warning);
  TrainResult result = trainer->run();
  if (workers.rank() == 0 && result.signal == 0 && result.counters.updates > 0) report(options, progress);
  return result;
}

}  // namespace crescendo

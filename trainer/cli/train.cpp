// crescendo train: one training run.
#include <fmt/chrono.h>
#include <fmt/format.h>

#include <ctime>

#include "trainer/cli/commands.h"
#include "trainer/cli/options.h"
#include "trainer/cli/run_training.h"
#include "trainer/cli/workers.h"
#include "trainer/workers/together.h"

namespace crescendo {
namespace {

Output output_of(const TrainOptions& options, const Communicator& workers) {
  if (workers.rank() > 0) return Output::nothing;
  return options.quiet ? Output::warnings : Output::all;
}

void train_together(const TrainOptions& options, Communicator& workers) {
  together(workers, [&] { validate(options); });
  Progress progress(output_of(options, workers));
  const TrainResult result = run_training(options, progress, workers);
  progress.say(fmt::format("{} after {} updates and {} samples, {} of training", result.reason,
                           result.counters.updates, result.counters.samples_seen,
                           duration_text(result.counters.seconds)));
  if (result.signal != 0) throw ExitCode{128 + result.signal};
}

void train(TrainOptions options) {
  if (options.run_dir.empty()) {
    require(!options.resume, "train: --resume needs --run-dir, the folder of the run to continue");
    options.run_dir = fmt::format("runs/{}-{}-{:%Y%m%d-%H%M%S}", options.model, options.data,
                                  fmt::localtime(std::time(nullptr)));
  }
  with_workers(options.workers, [&](Communicator& workers) { train_together(options, workers); });
}

}  // namespace

void add_train_command(CLI::App& app) {
  CLI::App* command =
      app.add_subcommand("train", "Train a model, decaying the learning rate or growing the batch");
  auto options = std::make_shared<TrainOptions>();
  add_train_options(*command, *options);
  command->callback([options] { train(*options); });
}

}  // namespace crescendo

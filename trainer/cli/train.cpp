// crescendo train: one training run.
#include <fmt/chrono.h>
#include <fmt/format.h>

#include <ctime>
#include <filesystem>
#include <vector>

#include "trainer/cli/commands.h"
#include "trainer/cli/options.h"
#include "trainer/cli/run_training.h"
#include "trainer/cli/workers.h"
#include "trainer/resume.h"
#include "trainer/store/run_folder.h"
#include "trainer/workers/together.h"

namespace crescendo {
namespace {

Output output_of(const TrainOptions& options, const Communicator& workers) {
  if (workers.rank() > 0) return Output::nothing;
  return options.quiet ? Output::warnings : Output::all;
}

struct TrainArguments {
  TrainOptions options;
  std::vector<OptionChange> changes;  // which made the options from the defaults
};

// Returns the options of the run that is resumed, with what the command line gives; those of the command line if
// there is no such run. Rank 0 alone knows the run's folder.
TrainOptions resumed_options(const TrainArguments& arguments, Communicator& workers) {
  std::string checkpoint, config;
  together(workers, [&] {
    if (!arguments.options.resume || workers.rank() > 0) return;
    checkpoint = newest_header_of(arguments.options.run_dir).value_or("");
    if (!checkpoint.empty()) config = read_checkpoint_info(checkpoint).config;
  });
  config = broadcast_text(workers, config);
  if (config.empty()) return arguments.options;
  TrainOptions options = options_of_checkpoint(config, checkpoint);
  // The machine may be another one. settled_options() knows the run's instruction set.
  options.threads = arguments.options.threads;
  options.instruction_set = arguments.options.instruction_set;
  for (const OptionChange& change : arguments.changes) change(options);
  return options;
}

// Makes paths absolute, so that the run's configuration means the same from every folder.
void make_absolute(TrainOptions& options) {
  for (std::string* path : {&options.data_dir, &options.val_dir, &options.init})
    if (!path->empty()) *path = std::filesystem::absolute(*path).lexically_normal().string();
}

void train_together(const TrainArguments& arguments, Communicator& workers) {
  TrainOptions options = resumed_options(arguments, workers);
  make_absolute(options);
  together(workers, [&] { validate(options); });
  Progress progress(output_of(options, workers));
  const TrainResult result = run_training(options, progress, workers);
  progress.say(fmt::format("{} after {} updates and {} samples, {} of training", result.reason,
                           result.counters.updates, result.counters.samples_seen,
                           duration_text(result.counters.seconds)));
  if (result.signal != 0) throw ExitCode{128 + result.signal};
}

void train(TrainArguments arguments) {
  TrainOptions& options = arguments.options;
  if (options.run_dir.empty()) {
    require(!options.resume, "train: --resume needs --run-dir, the folder of the run to continue");
    options.run_dir = fmt::format("runs/{}-{}-{:%Y%m%d-%H%M%S}", options.model, options.data,
                                  fmt::localtime(std::time(nullptr)));
  }
  with_workers(options.workers, [&](Communicator& workers) { train_together(arguments, workers); });
}

}  // namespace

void add_train_command(CLI::App& app) {
  CLI::App* command =
      app.add_subcommand("train", "Train a model, decaying the learning rate or growing the batch");
  auto arguments = std::make_shared<TrainArguments>();
  add_train_options(*command, arguments->options, &arguments->changes);
  command->callback([arguments] { train(*arguments); });
}

}  // namespace crescendo

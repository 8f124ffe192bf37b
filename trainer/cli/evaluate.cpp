// crescendo evaluate RUN: prints accuracy and loss over all test images.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "trainer/cli/commands.h"
#include "trainer/cli/loaded_run.h"
#include "trainer/cli/workers.h"
#include "trainer/record/console.h"
#include "trainer/record/progress.h"
#include "trainer/step/evaluation.h"
#include "trainer/workers/roll_call.h"
#include "trainer/workers/together.h"

namespace crescendo {
namespace {

struct EvaluateOptions {
  std::string run, data_dir, val_dir, split = "test";
  Computer computer;
  int loader_threads = 1;
  bool json = false;
};

void evaluate_run(const EvaluateOptions& options, Communicator& workers) {
  const LoadedRun run = load_run(options.run, options.computer, workers);
  const Split split = options.split == "train" ? Split::train : Split::test;
  DatasetOptions data = dataset_options(run.options);
  data.random = false;
  if (!options.data_dir.empty()) data.directory = options.data_dir;
  if (!options.data_dir.empty() || !options.val_dir.empty()) data.val_directory = options.val_dir;
  std::shared_ptr<const Dataset> dataset;
  together(workers, [&] {
    dataset = make_dataset(data, split);
    require(dataset->class_names() == run.info.class_names, "evaluate: ", run.checkpoint,
            " was trained on other classes than those of ", run.options.data);
  });
  call_roll(workers, {{options.split + " images", dataset->digest()}});
  const bool live = !options.json && workers.rank() == 0 && is_live(stdout);
  EvaluationOptions how{.loader_threads = options.loader_threads, .stop = {}, .progress = {}};
  if (live)
    how.progress = [](int64_t done, int64_t of) {
      write_or_drop(stdout, fmt::format("\r\x1b[K{} of {} images{}", done, of, done == of ? "\r\x1b[K" : ""));
    };
  const Evaluation result = evaluate(*run.model, DeviceData(run.device, dataset), how, workers).value();
  if (workers.rank() > 0) return;
  if (options.json) {
    const nlohmann::json json = {{"accuracy", result.accuracy()},
                                 {"loss", result.loss},
                                 {"correct", result.correct},
                                 {"total", result.total},
                                 {"checkpoint", run.checkpoint}};
    print_output("{}\n", json.dump());
    return;
  }
  print_output("{}: accuracy {:.2f} % ({} of {} {} images), loss {:.4f}\n", run.checkpoint,
               100 * result.accuracy(), result.correct, result.total, options.split, result.loss);
}

}  // namespace

void add_evaluate_command(CLI::App& app) {
  auto options = std::make_shared<EvaluateOptions>();
  CLI::App* command = app.add_subcommand("evaluate", "Print accuracy and loss of a run on its test images");
  command->add_option("RUN", options->run, "A run folder (its newest checkpoint) or a checkpoint file")
      ->required();
  command->add_option("--data-dir", options->data_dir, "Data folder; default: that of the run");
  command->add_option(
      "--val-dir", options->val_dir,
      "image-folder: folder of the test images; default: that of the run, or val in --data-dir");
  command->add_option("--split", options->split, "Images to evaluate on")
      ->check(CLI::IsMember({"test", "train"}))
      ->capture_default_str();
  add_computer_options(*command, options->computer);
  command->add_option("--loader-threads", options->loader_threads, "Background threads that load images")
      ->check(CLI::NonNegativeNumber);
  command->add_flag("--json", options->json,
                    "Print a JSON object: accuracy (a fraction), loss, correct, total, checkpoint");
  command->footer(
      "Examples:\n  crescendo evaluate runs/a\n"
      "  crescendo evaluate runs/a/checkpoints/0000050000.safetensors --json\n"
      "  mpirun -n 3 crescendo evaluate runs/a");
  command->callback(
      [options] { with_workers(0, [&](Communicator& workers) { evaluate_run(*options, workers); }); });
}

}  // namespace crescendo

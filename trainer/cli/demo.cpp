// crescendo demo: the paper's claim in a few minutes, on the built-in data set. It trains one small network
// three ways. Per epoch the curves coincide, but growing the batch takes fewer updates.
#include <fmt/format.h>

#include <array>

#include "trainer/cli/commands.h"
#include "trainer/cli/loaded_run.h"
#include "trainer/cli/run_training.h"
#include "trainer/record/console.h"
#include "trainer/record/report.h"

namespace crescendo {
namespace {

struct DemoOptions {
  std::string folder = "runs/demo";
  Computer computer;
  bool quiet = false;
};

struct DemoRun {
  const char* name;
  Exchange exchange;
  const char* what;
};

constexpr std::array kRuns = {
    DemoRun{"decaying-lr", Exchange::none, "the learning rate falls fivefold at each milestone"},
    DemoRun{"hybrid", Exchange::hybrid, "the batch grows fivefold once, then the learning rate falls"},
    DemoRun{"increasing-batch", Exchange::batch,
            "the batch grows at each milestone, up to a tenth of the images"}};

TrainOptions demo_run(const DemoOptions& options, const DemoRun& run) {
  TrainOptions training;
  training.model = "wrn-10-1";
  training.data = "shapes";
  training.train_images = 4000;
  training.epochs = 10;
  training.optimizer = OptimizerKind::nesterov;
  training.batch = training.ghost_batch = 32;
  training.milestones = {3, 6, 8};
  training.factor = 5;
  training.exchange = run.exchange;
  if (run.exchange != Exchange::none) training.max_batch = 384;  // a tenth of the images
  training.threads = options.computer.threads;
  training.device = options.computer.device;
  training.precision = options.computer.precision;
  training.run_dir = options.folder + "/" + run.name;
  training.resume = true;  // a second demo continues, or has nothing left to do
  training.quiet = options.quiet;
  return training;
}

void run_demo(const DemoOptions& options) {
  std::vector<std::string> folders;
  std::string table =
      fmt::format("{:<18} {:>8} {:>15} {:>10}\n", "schedule", "updates", "test accuracy", "time");
  for (const DemoRun& run : kRuns) {
    if (!options.quiet) print_output("== {}: {}\n", run.name, run.what);
    Progress progress(options.quiet ? Output::warnings : Output::all);
    const TrainOptions training = demo_run(options, run);
    Solo solo;
    const TrainResult result = run_training(training, progress, solo);
    if (result.signal != 0) throw ExitCode{128 + result.signal};
    folders.push_back(training.run_dir);
    table += fmt::format("{:<18} {:>8} {:>13.2f} % {:>10}\n", run.name, result.counters.updates,
                         100 * result.evaluation.value_or(Evaluation{}).accuracy(),
                         duration_text(result.counters.seconds));
  }
  const std::string page = options.folder + "/report.html";
  write_report(folders, page);
  print_output(
      "\n{}\nPer epoch the three learn alike, but growing the batch takes fewer updates.\n"
      "Open {} in a browser.\n",
      table, page);
}

}  // namespace

void add_demo_command(CLI::App& app) {
  auto options = std::make_shared<DemoOptions>();
  CLI::App* command =
      app.add_subcommand("demo", "Train a small network three ways on built-in data, and compare");
  command->add_option("--run-dir", options->folder, "Folder for the three runs and the report")
      ->capture_default_str();
  add_computer_options(*command, options->computer);
  command->add_flag("--quiet", options->quiet, "Print the result only");
  command->footer("Example:\n  crescendo demo --run-dir runs/demo");
  command->callback([options] { run_demo(*options); });
}

}  // namespace crescendo

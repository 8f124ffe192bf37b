// crescendo launch: starts several workers with mpirun, and again when one was lost.
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "base/check.h"
#include "trainer/cli/commands.h"
#include "trainer/cli/mpirun.h"
#include "trainer/cli/options.h"
#include "trainer/plan/workers_plan.h"
#include "trainer/record/console.h"

namespace crescendo {
namespace {

struct LaunchOptions {
  Launch launch;
  int64_t restarts = 0;
  bool grow = false, dry = false;
};

// Returns true for the exit codes of runs that may go on: a worker was lost (75) or killed.
bool may_go_on(int exit_code) {
  constexpr int kTryAgain = 75, kKilled = 137;
  return exit_code == kTryAgain || exit_code == kKilled;
}

bool in_path(const std::string& program) {
  const char* const path = std::getenv("PATH");
  std::string folders = path == nullptr ? "" : path;
  for (size_t begin = 0; begin <= folders.size();) {
    const size_t end = std::min(folders.find(':', begin), folders.size());
    if (std::filesystem::exists(folders.substr(begin, end - begin) + "/" + program)) return true;
    begin = end + 1;
  }
  return false;
}

// Returns the options of a train command. Throws for those that every worker would refuse.
TrainOptions options_of(std::vector<std::string> command) {
  TrainOptions options;
  CLI::App parser;
  add_train_options(parser, options);
  command.erase(command.begin());
  std::reverse(command.begin(), command.end());  // as CLI11 wants them
  parser.parse(command);
  validate(options);
  return options;
}

// Returns the parts of the run that the command asks for: one, or with --grow one for each number of workers.
std::vector<Stage> stages_of(const LaunchOptions& options) {
  const std::string& command = options.launch.command.front();
  require(command == "train" || command == "evaluate", "launch: found ", command,
          ", expected train or evaluate");
  require(!options.grow || command == "train", "launch: found evaluate with --grow, expected train");
  const TrainOptions training = command == "train" ? options_of(options.launch.command) : TrainOptions();
  if (!options.grow) return {{.workers = options.launch.workers}};
  require(!training.run_dir.empty(), "launch: --grow needs --run-dir, where each part of the run goes on");
  const Plan plan = make_plan(training);
  std::vector<Stage> found = stages(plan, plan_workers(plan, {.most = options.launch.workers}));
  for (size_t i = 0; i < found.size(); ++i) {
    const bool is_last = found[i].last_update < 0;
    if (training.max_updates < 0 || (!is_last && found[i].last_update < training.max_updates)) continue;
    found[i].last_update = training.max_updates;
    found.resize(i + 1);
  }
  return found;
}

// Returns the command of a part of a run.
std::vector<std::string> command_of(const LaunchOptions& options, const Stage& stage) {
  std::vector<std::string> command = options.launch.command;
  command.insert(command.begin(), std::filesystem::read_symlink("/proc/self/exe").string());
  if (!options.grow) return command;
  command.emplace_back("--resume");
  if (stage.last_update >= 0)
    command.insert(command.end(), {"--max-updates", std::to_string(stage.last_update)});
  return command;
}

// Runs one part, again if a worker is lost and `restarts` are left.
void run_stage(const LaunchOptions& options, const Stage& stage, int64_t& restarts) {
  Launch launch = options.launch;
  launch.workers = stage.workers;
  launch.command = command_of(options, stage);
  for (;;) {
    const int exit_code = run_group(mpirun_command(launch));
    if (exit_code == 0) return;
    if (!may_go_on(exit_code) || restarts == options.restarts) throw ExitCode{exit_code};
    print_error("crescendo: launch: starting again ({} of {})\n", ++restarts, options.restarts);
    if (std::find(launch.command.begin(), launch.command.end(), "--resume") == launch.command.end())
      launch.command.emplace_back("--resume");
  }
}

void launch(const LaunchOptions& options) {
  const std::vector<std::string>& command = options.launch.command;
  require(!command.empty(), "launch: found no command, expected -- train ...");
  require(options.launch.hosts.empty() || options.launch.host_file.empty(),
          "launch: found --hosts and --hostfile, expected one of them");
  const std::vector<Stage> stages = stages_of(options);
  if (!options.dry) require(in_path("mpirun"), "launch: mpirun is not in PATH (Debian: openmpi-bin)");
  int64_t restarts = 0;
  for (const Stage& stage : stages) {
    Launch launch = options.launch;
    launch.workers = stage.workers;
    launch.command = command_of(options, stage);
    if (options.dry) {
      print_output("{}\n", fmt::join(mpirun_command(launch), " "));
      continue;
    }
    if (options.grow)
      print_error("crescendo: launch: {} worker{} {}\n", stage.workers, stage.workers == 1 ? "" : "s",
                  stage.last_update < 0 ? "to the end" : fmt::format("up to update {}", stage.last_update));
    run_stage(options, stage, restarts);
  }
}

}  // namespace

void add_launch_command(CLI::App& app) {
  auto options = std::make_shared<LaunchOptions>();
  CLI::App* command =
      app.add_subcommand("launch", "Start several workers that share a run, on this machine or on several");
  command->add_option("-n,--workers", options->launch.workers, "Number of workers")
      ->type_name("N")
      ->check(CLI::PositiveNumber)
      ->required();
  command
      ->add_option("--hosts", options->launch.hosts,
                   "Machines and the number of workers on each; default: this machine")
      ->type_name("HOST:N,...");
  command->add_option("--hostfile", options->launch.host_file, "A file that lists them in the form of mpirun")
      ->type_name("FILE")
      ->check(CLI::ExistingFile);
  command
      ->add_option("--restarts", options->restarts,
                   "Number of times to go on from the last checkpoint when a worker was lost")
      ->type_name("N")
      ->check(CLI::NonNegativeNumber);
  command->add_flag("--grow", options->grow,
                    "Start with as many workers as the first batch can use, and again with more as the batch "
                    "grows, up to N");
  command->add_flag("--dry-run", options->dry, "Print the command line of mpirun, and stop");
  command->add_option("COMMAND", options->launch.command,
                      "The command of each worker, after --: train or evaluate, with its options");
  command->footer(
      "Exit codes: those of the command, and 75 if a worker was lost and the run can go on with --resume.\n\n"
      "Examples:\n"
      "  crescendo launch -n 4 -- train --recipe cifar10-max5120-increasing-batch --data-dir DIR "
      "--run-dir runs/a\n"
      "  crescendo launch -n 8 --hosts node1:4,node2:4 --restarts 3 -- train --config run.toml --run-dir "
      "runs/a\n"
      "  crescendo launch -n 16 --grow -- train --recipe cifar10-max5120-increasing-batch --run-dir runs/a\n"
      "  crescendo launch -n 4 -- evaluate runs/a");
  command->callback([options] { launch(*options); });
}

}  // namespace crescendo

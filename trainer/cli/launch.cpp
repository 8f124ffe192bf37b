// crescendo launch: starts several workers with mpirun, and again when one was lost.
#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>

#include "base/check.h"
#include "trainer/cli/commands.h"
#include "trainer/cli/mpirun.h"

namespace crescendo {
namespace {

struct LaunchOptions {
  Launch launch;
  int64_t restarts = 0;
  bool dry = false;
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

void launch(const LaunchOptions& options) {
  const std::vector<std::string>& command = options.launch.command;
  require(!command.empty(), "launch: found no command, expected -- train ...");
  require(options.launch.hosts.empty() || options.launch.host_file.empty(),
          "launch: found --hosts and --hostfile, expected one of them");
  Launch launch = options.launch;
  launch.command.insert(launch.command.begin(), std::filesystem::read_symlink("/proc/self/exe").string());
  if (options.dry) {
    fmt::print("{}\n", fmt::join(mpirun_command(launch), " "));
    return;
  }
  require(in_path("mpirun"), "launch: mpirun is not in PATH (Debian: openmpi-bin)");
  for (int64_t starts = 0;; ++starts) {
    const int exit_code = run_group(mpirun_command(launch));
    if (exit_code == 0) return;
    if (!may_go_on(exit_code) || starts == options.restarts) throw ExitCode{exit_code};
    fmt::print(stderr, "crescendo: launch: starting again ({} of {})\n", starts + 1, options.restarts);
    if (std::find(command.begin(), command.end(), "--resume") == command.end() && starts == 0)
      launch.command.emplace_back("--resume");
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
      "  crescendo launch -n 4 -- evaluate runs/a");
  command->callback([options] { launch(*options); });
}

}  // namespace crescendo

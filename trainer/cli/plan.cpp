// crescendo plan: prints the plan of a run without training.
#include <fmt/format.h>

#include <cmath>
#include <filesystem>

#include "data/dataset.h"
#include "trainer/cli/commands.h"
#include "trainer/cli/options.h"
#include "trainer/options/open_device.h"
#include "trainer/plan/plan_text.h"
#include "trainer/record/console.h"
#include "trainer/store/file.h"

namespace crescendo {

namespace {

struct PlanArguments {
  TrainOptions options;
  CostModel cost;
  std::string sbatch;
  bool json = false;
};

void require_time(const char* name, double value) {
  require(std::isfinite(value) && value >= 0, name, ": found ", value, ", expected 0 or more");
}

// Returns the workers to plan with. Without a measured time, a ghost batch is the unit of time.
Workforce workforce(const PlanArguments& arguments, const TrainingMemory& memory) {
  Workforce force{.most = arguments.options.workers, .cost = arguments.cost};
  require_time("seconds-per-ghost", force.cost.per_ghost);
  require_time("seconds-per-update", force.cost.per_update);
  require_time("spread", force.cost.spread);
  require_time("latency", force.cost.latency);
  require_time("bandwidth", force.cost.bandwidth);
  force.measured = force.cost.per_ghost > 0;
  const bool only_seconds = force.cost.per_update > 0 || force.cost.latency > 0 || force.cost.bandwidth > 0;
  require(force.measured || !only_seconds,
          "seconds-per-ghost: is needed with --seconds-per-update, --latency and --bandwidth");
  if (!force.measured) force.cost.per_ghost = 1;
  force.cost.bytes = memory.exchanged_bytes;
  return force;
}

void write_sbatch_script(const PlanArguments& arguments, const Plan& plan, const Workforce& force) {
  std::error_code unknown;  // such a file's error is that of writing it
  require(!std::filesystem::is_directory(arguments.sbatch, unknown), "sbatch: ", arguments.sbatch,
          " is a folder, expected a file");
  const std::vector<Stage> jobs = stages(plan, plan_workers(plan, force));
  write_durably(arguments.sbatch, sbatch_script(jobs, arguments.options, force.measured),
                FileSystem::system());
}

void print_plan(const PlanArguments& arguments) {
  const Plan plan = make_plan(arguments.options);
  PlanExtras extras;
  const DatasetTraits data = dataset_traits(dataset_options(arguments.options));
  const Device device = open_device(arguments.options);
  extras.memory =
      training_memory(arguments.options, device, data, micro_batch_size(arguments.options, device, data));
  if (arguments.options.workers > 0) extras.workers = workforce(arguments, *extras.memory);
  require(arguments.sbatch.empty() || extras.workers,
          "sbatch: needs --workers, the most that the jobs may have");
  const std::string text = arguments.json ? plan_json(plan, extras) : plan_text(plan, extras);
  // Before the plan is printed, so that an error is not lost below it.
  if (!arguments.sbatch.empty()) write_sbatch_script(arguments, plan, *extras.workers);
  print_output("{}", text);
}

void add_workers_options(CLI::App& command, PlanArguments& arguments) {
  const auto number = [&](const char* name, double& value, const char* meaning) {
    command.add_option(name, value, meaning)->type_name("X")->group("Workers, with --workers N at most");
  };
  number("--seconds-per-ghost", arguments.cost.per_ghost,
         "Seconds that one worker takes for a ghost batch, forward and backward, as step_bench --cost-model "
         "measures them");
  number("--seconds-per-update", arguments.cost.per_update, "Seconds of an update besides its ghost batches");
  number("--spread", arguments.cost.spread,
         "Standard deviation of a worker's time for an update, as a fraction of the mean");
  number("--latency", arguments.cost.latency,
         "Seconds of a message between two workers, as exchange_bench measures them");
  number(
      "--bandwidth", arguments.cost.bandwidth,
      "Bytes per second between workers, as exchange_bench measures them; without it the exchange takes no "
      "time");
  command
      .add_option("--sbatch", arguments.sbatch,
                  "Write a script that submits a chain of Slurm jobs, whose number of workers grows with the "
                  "batch")
      ->type_name("FILE")
      ->group("Workers, with --workers N at most");
}

}  // namespace

void add_plan_command(CLI::App& app) {
  CLI::App* command = app.add_subcommand(
      "plan", "Print the plan of a run without training: batches, learning rates, updates, memory");
  auto arguments = std::make_shared<PlanArguments>();
  add_train_options(*command, arguments->options);
  add_workers_options(*command, *arguments);
  command->add_flag("--json", arguments->json, "Print JSON instead of a table");
  command->footer(
      "Examples:\n"
      "  crescendo plan --recipe cifar10-max5120-increasing-batch\n"
      "  crescendo plan --recipe cifar10-max5120-increased-lr --workers 40 --seconds-per-ghost 0.4\n"
      "  crescendo plan --recipe imagenet-resnet-50-increasing-batch --workers 256 --sbatch chain.sh\n"
      "  crescendo plan --train-images 1281167 --epochs 90 --milestones 30,60,80 --factor 10 --batch 8192 "
      "\\\n"
      "      --ghost-batch 64 --learning-rate 3 --exchange batch --max-batch 65536 --json");
  command->callback([arguments] { print_plan(*arguments); });
}

}  // namespace crescendo

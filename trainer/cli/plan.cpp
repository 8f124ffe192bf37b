// crescendo plan: prints the plan of a run without training.
#include <fmt/format.h>

#include <cmath>

#include "data/dataset.h"
#include "trainer/cli/commands.h"
#include "trainer/cli/options.h"
#include "trainer/options/open_device.h"
#include "trainer/plan/plan_text.h"

namespace crescendo {

namespace {

struct PlanArguments {
  TrainOptions options;
  double seconds_per_ghost = 0;
  bool json = false;
};

void print_plan(const PlanArguments& arguments) {
  const Plan plan = make_plan(arguments.options);
  PlanExtras extras;
  const DatasetTraits data = dataset_traits(dataset_options(arguments.options));
  const Device device = open_device(arguments.options);
  extras.memory =
      training_memory(arguments.options, device, data, micro_batch_size(arguments.options, device, data));
  if (arguments.options.workers > 0) {
    require(std::isfinite(arguments.seconds_per_ghost) && arguments.seconds_per_ghost > 0,
            "seconds-per-ghost: found ", arguments.seconds_per_ghost, ", expected more than 0");
    extras.workers = Workers{arguments.options.workers, arguments.seconds_per_ghost};
  }
  fmt::print("{}", arguments.json ? plan_json(plan, extras) : plan_text(plan, extras));
}

}  // namespace

void add_plan_command(CLI::App& app) {
  CLI::App* command = app.add_subcommand(
      "plan", "Print the plan of a run without training: batches, learning rates, updates, memory");
  auto arguments = std::make_shared<PlanArguments>();
  add_train_options(*command, arguments->options);
  command
      ->add_option("--seconds-per-ghost", arguments->seconds_per_ghost,
                   "Seconds that one worker takes for a ghost batch, forward and backward")
      ->type_name("X");
  command->add_flag("--json", arguments->json, "Print JSON instead of a table");
  command->footer(
      "Examples:\n"
      "  crescendo plan --recipe cifar10-max5120-increasing-batch\n"
      "  crescendo plan --recipe cifar10-max5120-increased-lr --workers 40 --seconds-per-ghost 0.05\n"
      "  crescendo plan --train-images 1281167 --epochs 90 --milestones 30,60,80 --factor 10 --batch 8192 "
      "\\\n"
      "      --ghost-batch 64 --learning-rate 3 --exchange batch --max-batch 65536 --json");
  command->callback([arguments] { print_plan(*arguments); });
}

}  // namespace crescendo

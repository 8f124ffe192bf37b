#include "trainer/cli/loaded_run.h"

#include <fmt/format.h>

#include "trainer/options/open_device.h"
#include "trainer/options/option_table.h"
#include "trainer/store/run_folder.h"

namespace crescendo {

void add_computer_options(CLI::App& command, Computer& computer) {
  command
      .add_option("--threads", computer.threads,
                  "Threads that compute; 0 is one per core that this process may use")
      ->check(CLI::NonNegativeNumber);
  command.add_option("--device", computer.device, "Device to compute on: cpu, cuda or cuda:N")
      ->capture_default_str();
  std::vector<std::string> names;
  names.reserve(kPrecisions.size());
  for (const Precision precision : kPrecisions) names.emplace_back(name_of(precision));
  const auto set = [&computer](const std::string& name) { computer.precision = precision_named(name); };
  command
      .add_option_function<std::string>("--precision", set,
                                        "Precision of activations and matrix products on a GPU")
      ->check(CLI::IsMember(names))
      ->default_str(std::string(name_of(computer.precision)));
}

LoadedRun load_run(const std::string& run, const Computer& computer) {
  const auto log = [](const std::string& line) { fmt::print(stderr, "crescendo: {}\n", line); };
  const std::string checkpoint = resolve_checkpoint(run, log);
  const CheckpointInfo info = read_checkpoint_info(checkpoint);
  TrainOptions options;
  apply_config(options, info.config, checkpoint);
  options.threads = computer.threads;
  options.device = computer.device;
  options.precision = computer.precision;
  if (!has_convolution(options, options.convolution)) options.convolution = ConvolutionAlgorithm::automatic;
  if (!has_instruction_set(options.instruction_set)) options.instruction_set = InstructionSet::automatic;
  LoadedRun loaded{.checkpoint = checkpoint,
                   .info = info,
                   .options = options,
                   .device = open_device(options),
                   .model = nullptr};
  loaded.model = make_model(loaded.info.model,
                            model_options(options, static_cast<int64_t>(loaded.info.class_names.size())));
  loaded.model->parameters.allocate(loaded.device);
  load_weights(loaded.checkpoint, loaded.model->parameters);
  return loaded;
}

}  // namespace crescendo

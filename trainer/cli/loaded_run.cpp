#include "trainer/cli/loaded_run.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "trainer/options/open_device.h"
#include "trainer/options/option_table.h"
#include "trainer/record/console.h"
#include "trainer/store/run_folder.h"
#include "trainer/workers/placement.h"
#include "trainer/workers/replicas.h"
#include "trainer/workers/together.h"

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

namespace {

struct Source {
  std::string checkpoint;
  CheckpointInfo info;
};

// Returns what rank 0 finds in the run's folder, without tensors.
Source find_source(const std::string& run, Communicator& workers) {
  Source source;
  together(workers, [&] {
    if (workers.rank() > 0) return;
    source.checkpoint =
        resolve_checkpoint(run, [](const std::string& line) { print_error("crescendo: {}\n", line); });
    source.info = read_checkpoint_info(source.checkpoint);
  });
  if (workers.size() == 1) return source;
  CheckpointInfo& info = source.info;
  const nlohmann::json mine = {source.checkpoint, info.model, info.class_names, info.config};
  const auto shared = nlohmann::json::parse(broadcast_text(workers, mine.dump()));
  source.checkpoint = shared[0].get<std::string>();
  info.model = shared[1].get<std::string>();
  info.class_names = shared[2].get<std::vector<std::string>>();
  info.config = shared[3].get<std::string>();
  return source;
}

}  // namespace

LoadedRun load_run(const std::string& run, const Computer& computer, Communicator& workers) {
  const Source source = find_source(run, workers);
  TrainOptions options;
  apply_config(options, source.info.config, source.checkpoint);
  options.threads = computer.threads;
  if (options.threads == 0 && workers.size() > 1) options.threads = threads_of_worker(core_share(workers));
  options.device = computer.device;
  options.precision = computer.precision;
  if (!has_convolution(options, options.convolution)) options.convolution = ConvolutionAlgorithm::automatic;
  if (!has_instruction_set(options.instruction_set)) options.instruction_set = InstructionSet::automatic;
  std::optional<LoadedRun> loaded;
  together(workers, [&] {
    const auto classes = static_cast<int64_t>(source.info.class_names.size());
    loaded.emplace(LoadedRun{.checkpoint = source.checkpoint,
                             .info = source.info,
                             .options = options,
                             .device = open_device(options, workers.local_rank()),
                             .model = make_model(source.info.model, model_options(options, classes))});
    loaded->model->parameters.allocate(loaded->device);
    if (workers.rank() == 0) load_weights(source.checkpoint, loaded->model->parameters);
  });
  if (workers.size() > 1) broadcast_parameters(workers, loaded->model->parameters);
  return std::move(*loaded);
}

}  // namespace crescendo

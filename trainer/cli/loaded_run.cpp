#include "trainer/cli/loaded_run.h"

#include <fmt/format.h>

#include "trainer/option_table.h"
#include "trainer/run_folder.h"

namespace crescendo {

LoadedRun load_run(const std::string& run, int threads) {
  const auto log = [](const std::string& line) { fmt::print(stderr, "crescendo: {}\n", line); };
  const std::string checkpoint = resolve_checkpoint(run, log);
  const CheckpointInfo info = read_checkpoint_info(checkpoint);
  TrainOptions options;
  apply_config(options, info.config, checkpoint);
  LoadedRun loaded{
      .checkpoint = checkpoint,
      .info = info,
      .options = options,
      .device = Device::cpu(
          threads, options.convolution,
          has_instruction_set(options.instruction_set) ? options.instruction_set : InstructionSet::automatic),
      .model = nullptr};
  loaded.model =
      make_model(loaded.info.model, {.classes = static_cast<int64_t>(loaded.info.class_names.size())});
  loaded.model->parameters.allocate(loaded.device);
  verify_checkpoint(loaded.checkpoint);
  load_weights(loaded.checkpoint, loaded.model->parameters);
  return loaded;
}

}  // namespace crescendo

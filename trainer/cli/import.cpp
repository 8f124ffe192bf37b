// crescendo import FILE --model NAME --data KIND -o CHECKPOINT: weights from elsewhere, as evaluate and
// predict take them.
#include <fmt/format.h>

#include "trainer/cli/commands.h"
#include "trainer/option_table.h"
#include "trainer/trainer.h"

namespace crescendo {
namespace {

struct ImportOptions {
  std::string file, output;
  TrainOptions training;  // model and data
};

void import_weights(const ImportOptions& options) {
  const TrainOptions& training = options.training;
  const auto dataset = make_dataset({.kind = training.data, .directory = training.data_dir}, Split::test);
  const std::vector<std::string>& classes = dataset->class_names();
  const auto model = make_model(training.model, model_options(training, static_cast<int64_t>(classes.size()),
                                                              dataset->image_size().channels));
  model->parameters.allocate(Device::cpu());
  load_weights(options.file, model->parameters);
  CheckpointInfo info;
  info.model = training.model;
  info.class_names = classes;
  info.config = config_text(training);
  save_checkpoint(options.output, {info, model->parameters, {}});
  fmt::print("{}: {} with the weights of {}, for the {} classes of {}\n", options.output, training.model,
             options.file, classes.size(), training.data);
}

}  // namespace

void add_import_command(CLI::App& app) {
  auto options = std::make_shared<ImportOptions>();
  CLI::App* command =
      app.add_subcommand("import", "Makes a checkpoint of weights from PyTorch: torchvision's or timm's");
  command->add_option("FILE", options->file, "A safetensors file of a state dict")->required();
  command->add_option("--model", options->training.model, "The model it is of, e.g. resnet-50")->required();
  command->add_option("--data", options->training.data, "What it tells apart, as train --data has it")
      ->required();
  command->add_option("--data-dir", options->training.data_dir, "The folder of that data");
  command->add_option("-o,--output", options->output, "The checkpoint to write")->required();
  command->footer(
      "Examples:\n"
      "  crescendo import resnet18.safetensors --model resnet-18 --data cifar10 --data-dir DIR -o "
      "a.safetensors\n"
      "  crescendo evaluate a.safetensors");
  command->callback([options] { import_weights(*options); });
}

}  // namespace crescendo

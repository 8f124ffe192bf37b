// crescendo import FILE --model NAME --data KIND -o CHECKPOINT: makes a checkpoint of PyTorch's weights, for
// evaluate and predict.
#include <fmt/format.h>

#include "trainer/cli/commands.h"
#include "trainer/cli/options.h"
#include "trainer/record/console.h"
#include "trainer/trainer.h"

namespace crescendo {
namespace {

struct ImportOptions {
  std::string file, output;
  TrainOptions training;  // model and data
};

void import_weights(const ImportOptions& options) {
  const TrainOptions& training = options.training;
  validate(training);
  const auto dataset = make_dataset(dataset_options(training), Split::test);
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
  print_output("{}: {} with the weights of {}, for the {} classes of {}\n", options.output, training.model,
               options.file, classes.size(), training.data);
}

}  // namespace

void add_import_command(CLI::App& app) {
  auto options = std::make_shared<ImportOptions>();
  CLI::App* command = app.add_subcommand("import", "Make a checkpoint from weights of torchvision or timm");
  command->add_option("FILE", options->file, "Safetensors file of a PyTorch state dict")->required();
  add_some_options(*command, options->training,
                   {"model", "norm-scale", "data", "data-dir", "val-dir", "image-size", "augment"});
  for (const char* name : {"--model", "--data"}) command->get_option(name)->required()->default_str("");
  command->add_option("-o,--output", options->output, "Checkpoint to write")->required();
  command->footer(
      "Examples:\n"
      "  crescendo import resnet18.safetensors --model resnet-18 --data cifar10 --data-dir DIR -o "
      "a.safetensors\n"
      "  crescendo import irv2.safetensors --model inception-resnet-v2 --data image-folder --data-dir DIR "
      "\\\n"
      "      --augment inception -o b.safetensors\n"
      "  crescendo evaluate a.safetensors");
  command->callback([options] { import_weights(*options); });
}

}  // namespace crescendo

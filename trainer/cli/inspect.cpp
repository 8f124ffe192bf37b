// crescendo inspect: names, shapes, parameters, multiply-adds and memory of a model or a run.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "trainer/cli/commands.h"
#include "trainer/cli/loaded_run.h"
#include "trainer/options/option_table.h"
#include "trainer/plan/memory.h"
#include "trainer/record/console.h"
#include "trainer/store/run_folder.h"

namespace crescendo {
namespace {

struct InspectOptions {
  std::string run, model;
  int64_t classes = 10, batch = 128;
  int64_t image_size = 0;  // 0: the image size of the run's data, or 32
  bool digest = false, json = false;
};

std::string resolve(const std::string& run) {
  return resolve_checkpoint(run, [](const std::string& line) { print_error("crescendo: {}\n", line); });
}

void print_json(const Model& model, const std::vector<LayerCost>& layers, int64_t multiply_adds,
                int64_t memory, const InspectOptions& options) {
  nlohmann::json json = {{"model", model.name},
                         {"parameters", model.parameters.parameter_count()},
                         {"multiply_adds", multiply_adds},
                         {"memory_bytes", memory},
                         {"micro_batch", options.batch}};
  for (const auto& parameter : model.parameters.parameters())
    json["tensors"].push_back({{"name", parameter->name}, {"shape", parameter->shape.sizes()}});
  for (const LayerCost& layer : layers)
    json["layers"].push_back({{"name", layer.name},
                              {"output", layer.output.text()},
                              {"parameters", layer.parameters},
                              {"multiply_adds", layer.multiply_adds}});
  print_output("{}\n", json.dump(2));
}

void print_table(const Model& model, const std::vector<LayerCost>& layers, int64_t multiply_adds,
                 int64_t memory, const InspectOptions& options) {
  print_output("{:<28} {:>20} {:>12} {:>14}\n", "layer", "output of one image", "parameters",
               "multiply-adds");
  for (const LayerCost& layer : layers)
    print_output("{:<28} {:>20} {:>12} {:>14}\n", layer.name, layer.output.text(),
                 layer.parameters ? std::to_string(layer.parameters) : "",
                 layer.multiply_adds ? std::to_string(layer.multiply_adds) : "");
  print_output("\n{}: {} parameters, {:.1f} M multiply-adds per image\n", model.name,
               model.parameters.parameter_count(), static_cast<double>(multiply_adds) / 1e6);
  print_output("training with Nesterov momentum and a micro-batch of {}: {:.0f} MiB\n", options.batch,
               static_cast<double>(memory) / (1 << 20));
}

void inspect_model(TrainOptions training, const InspectOptions& options) {
  ImageSize image = image_size(dataset_options(training));
  if (options.image_size > 0) image.height = image.width = options.image_size;
  const auto model = make_model(training.model, model_options(training, options.classes));
  const std::vector<LayerCost> layers = layer_costs(*model, image);
  int64_t multiply_adds = 0;
  for (const LayerCost& layer : layers) multiply_adds += layer.multiply_adds;
  training.optimizer = OptimizerKind::nesterov;
  training.ghost_batch = options.batch;
  const int64_t memory = training_memory(training, Device::cpu(),
                                         {.image_size = image, .classes = options.classes}, options.batch)
                             .peak_bytes;
  (options.json ? print_json : print_table)(*model, layers, multiply_adds, memory, options);
}

void inspect_run(InspectOptions options) {
  const std::string checkpoint = resolve(options.run);
  if (options.digest) {
    const std::string digest = checkpoint_digest(checkpoint);
    if (options.json)
      print_output("{}\n", nlohmann::json({{"digest", digest}}).dump());
    else
      print_output("{}\n", digest);
    return;
  }
  const CheckpointInfo info = read_checkpoint_info(checkpoint);
  verify_checkpoint(checkpoint);
  if (!options.json)
    print_output("{}: after {} updates, {} samples, {:.0f} s of training\n\n", checkpoint,
                 info.counters.updates, info.counters.samples_seen, info.counters.seconds);
  options.classes = static_cast<int64_t>(info.class_names.size());
  TrainOptions training;
  apply_config(training, info.config, checkpoint);
  inspect_model(training, options);
}

}  // namespace

void add_inspect_command(CLI::App& app) {
  auto options = std::make_shared<InspectOptions>();
  CLI::App* command =
      app.add_subcommand("inspect", "Print layers, parameters, multiply-adds and memory of a model or a run");
  auto* run =
      command->add_option("RUN", options->run, "A run folder (its newest checkpoint) or a checkpoint file");
  auto* model =
      command->add_option("--model", options->model, "A model by name, e.g. wrn-16-4")->excludes(run);
  command->add_option("--classes", options->classes, "Number of classes of --model")
      ->capture_default_str()
      ->needs(model);
  command
      ->add_option("--image-size", options->image_size,
                   "Height and width of an image in pixels; default: those of the run's data, or 32")
      ->check(CLI::Range(1, 65536));
  command->add_option("--micro-batch", options->batch, "Micro-batch for which the memory is computed")
      ->check(CLI::Range(1, 1 << 24))
      ->capture_default_str();
  command->add_flag("--digest", options->digest,
                    "Print only the digest of weights, running statistics and optimizer state");
  command->add_flag("--json", options->json, "Print one JSON object (\"parameters\" is a count)");
  command->footer("Examples:\n  crescendo inspect --model wrn-28-10\n  crescendo inspect runs/a --digest");
  command->callback([options] {
    require(!options->run.empty() || !options->model.empty(), "inspect: expected --model NAME or RUN");
    require(!options->digest || !options->run.empty(), "inspect: --digest needs RUN");
    TrainOptions training;
    training.model = options->model;
    options->run.empty() ? inspect_model(training, *options) : inspect_run(*options);
  });
}

}  // namespace crescendo

// crescendo export RUN -o FILE: writes a trained model for other programs.
#include <fmt/format.h>

#include <filesystem>

#include "trainer/cli/commands.h"
#include "trainer/cli/loaded_run.h"
#include "trainer/cli/onnx.h"
#include "trainer/record/console.h"
#include "trainer/store/pytorch_file.h"

namespace crescendo {
namespace {

struct ExportOptions {
  std::string run, file;
  int64_t image_size = 0;  // 0: the image size of the run's data
};

void write_onnx(const LoadedRun& run, const ExportOptions& options) {
  ImageSize size = image_size(dataset_options(run.options));
  if (options.image_size > 0) size.height = size.width = options.image_size;
  write_durably(options.file, onnx_bytes(trace(*run.model, size)));
  print_output("{}: {} for images [n, {}, {}, {}], normalised as in training\n", options.file,
               run.model->name, size.channels, size.height, size.width);
}

void write_safetensors(const LoadedRun& run, const ExportOptions& options) {
  save_for_pytorch(options.file, *run.model);
  print_output("{}: weights and running statistics of {}, under PyTorch's names{}\n", options.file,
               run.model->name,
               run.model->options.auxiliary_weight > 0 ? "; the auxiliary head is left out" : "");
}

void export_run(const ExportOptions& options) {
  const std::string kind = std::filesystem::path(options.file).extension();
  require(kind == ".safetensors" || kind == ".onnx", "export: -o: found ", options.file,
          ", expected a name that ends with .safetensors or .onnx");
  require(kind == ".onnx" || options.image_size == 0, "export: --image-size applies to ONNX files only");
  Solo solo;
  const LoadedRun run = load_run(options.run, {}, solo);
  std::error_code ignored;
  require(!std::filesystem::equivalent(options.file, run.checkpoint, ignored), "export: -o: ", options.file,
          " is the checkpoint itself");
  (kind == ".onnx" ? write_onnx : write_safetensors)(run, options);
}

}  // namespace

void add_export_command(CLI::App& app) {
  auto options = std::make_shared<ExportOptions>();
  CLI::App* command = app.add_subcommand("export", "Write a trained model for PyTorch or as ONNX");
  command->add_option("RUN", options->run, "A run folder (its newest checkpoint) or a checkpoint file")
      ->required();
  command
      ->add_option(
          "-o,--output", options->file,
          "File to write. FILE.safetensors: weights with the names and layouts of torchvision and timm; "
          "FILE.onnx: the network, for any number of images")
      ->required();
  command
      ->add_option("--image-size", options->image_size,
                   "ONNX: height and width of the images in pixels; default: those of the run's data")
      ->check(CLI::Range(1, 65536));
  command->footer(
      "Examples:\n  crescendo export runs/a -o resnet50.safetensors\n"
      "  crescendo export runs/a -o resnet50.onnx --image-size 256");
  command->callback([options] { export_run(*options); });
}

}  // namespace crescendo

// crescendo predict RUN IMAGE...: prints class names and probabilities of pictures.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>

#include "engine/packed_weights.h"
#include "trainer/cli/commands.h"
#include "trainer/cli/loaded_run.h"
#include "trainer/record/console.h"

namespace crescendo {
namespace {

struct PredictOptions {
  std::string run;
  std::vector<std::string> images;
  int64_t top = 3;
  Computer computer;
  bool json = false;
};

struct Guess {
  std::string name;
  double probability = 0;
};

std::vector<Guess> softmax(const std::vector<real>& logits, const std::vector<std::string>& names) {
  const double largest = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const real logit : logits) sum += std::exp(static_cast<double>(logit) - largest);
  std::vector<Guess> guesses;
  guesses.reserve(logits.size());
  for (size_t c = 0; c < logits.size(); ++c)
    guesses.push_back({names[c], std::exp(static_cast<double>(logits[c]) - largest) / sum});
  std::stable_sort(guesses.begin(), guesses.end(),
                   [](const Guess& a, const Guess& b) { return a.probability > b.probability; });
  return guesses;
}

std::vector<Guess> predict(const LoadedRun& run, PackedWeights* packed, const std::string& path) {
  DatasetOptions data = dataset_options(run.options);
  data.directory.clear();  // not needed: only the size of its images
  const ImageSize size = dataset_traits(data).image_size;
  std::vector<float> pixels(static_cast<size_t>(size.elements()));
  read_picture(data, path, pixels.data());
  const Tensor image = Tensor::activations(run.device, {1, size.height, size.width, size.channels});
  image.upload(pixels);
  Tape tape = Tape::off({.packed_weights = packed});
  return softmax(run.model->forward(tape, image).to_host(), run.info.class_names);
}

void predict_all(const PredictOptions& options) {
  Solo solo;
  const LoadedRun run = load_run(options.run, options.computer, solo);
  const auto top = std::min(static_cast<size_t>(options.top), run.info.class_names.size());
  nlohmann::json all = nlohmann::json::array();
  // From this many pictures on, packing weights saves more time than it takes.
  constexpr size_t kWorthPacking = 10;
  PackedWeights packed;
  PackedWeights* shared = options.images.size() >= kWorthPacking ? &packed : nullptr;
  for (const std::string& path : options.images) {
    std::vector<Guess> guesses = predict(run, shared, path);
    guesses.resize(top);
    nlohmann::json classes = nlohmann::json::array();
    std::string line = path + ":";
    for (const Guess& guess : guesses) {
      classes.push_back({{"class", guess.name}, {"probability", guess.probability}});
      line += fmt::format("  {} {:.1f} %", guess.name, 100 * guess.probability);
    }
    all.push_back({{"image", path}, {"classes", classes}});
    if (!options.json) print_output("{}\n", line);
  }
  if (options.json) print_output("{}\n", all.dump(2));
}

}  // namespace

void add_predict_command(CLI::App& app) {
  auto options = std::make_shared<PredictOptions>();
  CLI::App* command = app.add_subcommand("predict", "Print the most probable classes of pictures");
  command->add_option("RUN", options->run, "A run folder (its newest checkpoint) or a checkpoint file")
      ->required();
  command->add_option("IMAGE", options->images, "JPEG or PNG files; they are prepared as for evaluation")
      ->required();
  command->add_option("--top", options->top, "Number of classes to print per picture")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  add_computer_options(*command, options->computer);
  command->add_flag("--json", options->json,
                    "Print a JSON array: each image with its classes and their probabilities");
  command->footer(
      "Examples:\n  crescendo predict runs/a cat.jpg dog.png\n  crescendo predict runs/a *.jpg --json");
  command->callback([options] { predict_all(*options); });
}

}  // namespace crescendo

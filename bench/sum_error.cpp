// Measures how far the sum of an update's gradients is from the sum in double, with exact sums and with sums
// in float, on the gradients of a network and a data set.
#include <fmt/format.h>

#include <cmath>

#include "base/threads.h"
#include "program.h"
#include "trainer/step/gradient_sum.h"
#include "trainer/store/run_folder.h"
#include "trainer/store/stored_weights.h"

namespace crescendo::bench {
namespace {

struct Error {
  double relative = 0;  // |sum - true sum| / |true sum|, both norms of vectors
  double largest = 0;   // of one element, relative to the root mean square of the true sum
};

Error error_of(const std::vector<real>& sum, const std::vector<double>& truth) {
  double squares = 0, all = 0, largest = 0;
  for (size_t i = 0; i < truth.size(); ++i) {
    const double error = std::fabs(static_cast<double>(sum[i]) - truth[i]);
    squares += error * error;
    all += truth[i] * truth[i];
    largest = std::max(largest, error);
  }
  return {std::sqrt(squares / all), largest / std::sqrt(all / static_cast<double>(truth.size()))};
}

class Network {
 public:
  explicit Network(const TrainOptions& options)
      : options_(options),
        device_(Device::cpu(options.threads)),
        data_(device_, make_dataset(dataset_options(options), Split::train)),
        model_(make_model(options.model, model_options(options, static_cast<int64_t>(
                                                                    data_.dataset().class_names().size())))) {
    model_->parameters.allocate(device_);
    model_->parameters.initialise(options.seed);
    if (!options.init.empty())
      load_weights(resolve_checkpoint(options.init, [](const std::string&) {}), model_->parameters);
  }

  // Returns the sum of the gradients of the ghost batches [first, first + count).
  std::vector<real> sum(bool exact, int64_t first, int64_t count) {
    TrainOptions options = options_;
    options.exact_sum = exact;
    const int64_t ghost = options.ghost_batch;
    const auto open = [&] {
      return data_.batches({.seed = options.seed, .chunk = ghost, .workers = options.loader_threads}, ghost);
    };
    Solo solo;
    GradientSum gradients(options, ghost, *model_, data_.dataset().image_size(), device_, open, solo);
    gradients.start({});
    gradients.begin({first * ghost, count * ghost}, {first * ghost, count * ghost});
    for (int64_t i = first; i < first + count; ++i) gradients.add({i * ghost, ghost});
    return gradients.finish().to_host();
  }

 private:
  TrainOptions options_;
  Device device_;
  DeviceData data_;
  std::unique_ptr<Model> model_;
};

int run(TrainOptions& options, int64_t ghosts) {
  options.threads = Threads(options.threads).count();
  std::vector<double> truth;
  // A model's running statistics change with each pass, but its gradients do not.
  Network network(options);
  for (int64_t i = 0; i < ghosts; ++i) {
    const std::vector<real> gradient = network.sum(false, i, 1);
    truth.resize(gradient.size());
    for (size_t j = 0; j < gradient.size(); ++j) truth[j] += static_cast<double>(gradient[j]);
  }
  fmt::print("{} on {}: {} ghost batches of {}\n", options.model, options.data, ghosts, options.ghost_batch);
  for (const bool exact : {false, true}) {
    const Error error = error_of(network.sum(exact, 0, ghosts), truth);
    fmt::print("{:<6} relative error {:.2e}, largest {:.2e} of the root mean square\n",
               exact ? "exact" : "float", error.relative, error.largest);
  }
  return kDone;
}

}  // namespace
}  // namespace crescendo::bench

int main(int argc, char** argv) {
  using namespace crescendo;
  CLI::App app("Measures the rounding errors of an update's gradient: exact sums and sums in float.",
               "sum_error");
  TrainOptions options;
  int64_t ghosts = 40;
  app.add_option("--model", options.model, "Network by name, such as wrn-16-4")->capture_default_str();
  app.add_option("--data", options.data, "Data set: shapes, cifar10, cifar100 or image-folder")
      ->capture_default_str();
  app.add_option("--data-dir", options.data_dir, "Data folder");
  app.add_option("--init", options.init,
                 "Run, checkpoint or PyTorch file with the weights; default: initial ones");
  app.add_option("--ghost-batch", options.ghost_batch, "Ghost batch: number of images")
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 20))
      ->capture_default_str();
  app.add_option("--ghosts", ghosts, "Number of ghost batches in the update")
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 20))
      ->capture_default_str();
  bench::add_threads_option(app, options.threads);
  app.footer("Example:\n  sum_error --model wrn-16-4 --data cifar10 --data-dir DIR --ghosts 40");
  return bench::run_program(app, argc, argv, [&] { return bench::run(options, ghosts); });
}

// step_bench: times whole training steps of a model (forward, loss, backward, Nesterov momentum), or its
// evaluation, on made-up images that are already on the device.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "base/threads.h"
#include "breakdown.h"
#include "engine/packed_weights.h"
#include "kernels/cpu/backend.h"
#include "operands.h"
#include "program.h"
#include "trainer/options/open_device.h"
#include "trainer/plan/cost_model.h"
#include "trainer/plan/memory.h"
#include "trainer/step/gradient_sum.h"
#include "trainer/step/optimizer.h"

namespace crescendo::bench {
namespace {

struct Options {
  TrainOptions training;   // model, batches, threads, convolution
  int64_t image_side = 0;  // 0: that of the data that the model is made for
  bool evaluate = false;
  int64_t steps = 10, warmup = 2;
  bool breakdown = false, json = false, cost_model = false;
};

// Returns the sizes of CIFAR-10 for wide ResNets, those of ImageNet for other models.
DatasetTraits data_of(const Options& options) {
  TrainOptions training = options.training;
  training.data = training.model.starts_with("wrn-") ? "cifar10" : "image-folder";
  DatasetTraits data = dataset_traits(dataset_options(training));
  if (options.image_side > 0) data.image_size.height = data.image_size.width = options.image_side;
  return data;
}

// Made-up images. The first step uploads them, and later steps use them again.
class MadeUpBatches final : public Batches {
 public:
  explicit MadeUpBatches(int64_t classes) : classes_(classes) {}
  void prepare(const SampleRange& next, const DeviceBatch& batch) override {
    if (!filled_.insert(batch.labels.as_indices()).second) return;
    batch.images.upload(repeated_noise(batch.images.size()));
    std::vector<int32_t> labels;
    labels.reserve(static_cast<size_t>(next.count));
    for (int64_t i = 0; i < next.count; ++i) labels.push_back(static_cast<int32_t>(i % classes_));
    batch.labels.upload(labels);
  }
  void write(const StepCounters*, const DeviceBatch&) override {}

 private:
  int64_t classes_;
  std::set<const int32_t*> filled_;  // addresses of the labels of batches that were uploaded
};

// A model with all that its training steps and its evaluation need.
class Network {
 public:
  Network(const Options& options, const DatasetTraits& data, const Device& device)
      : options_(options.training),
        device_(device),
        image_size_(data.image_size),
        model_(make_model(options_.model, model_options(options_, data.classes, image_size_.channels))),
        made_up_(data.classes) {
    model_->parameters.allocate(device);
    model_->parameters.initialise(options_.seed);
    if (options.evaluate) return;
    optimizer_.emplace(options_, model_->parameters);
    gradients_.emplace(
        options_, options_.micro_batch, *model_, image_size_, device,
        [classes = data.classes] { return std::make_unique<MadeUpBatches>(classes); }, solo_);
    gradients_->start({});
  }

  void train() {
    gradients_->begin({0, options_.batch}, {0, options_.batch});
    MicroBatches micro_batches = cut();
    while (const auto range = micro_batches()) gradients_->add(*range);
    const Setting setting{.learning_rate = 0.01,
                          .momentum = options_.momentum,
                          .weight_decay = options_.weight_decay,
                          .batch = options_.batch};
    optimizer_->step(setting, ++updates_, gradients_->finish(), gradients_->counters());
    gradients_->read();  // waits for the device
  }

  void evaluate() {
    MicroBatches micro_batches = cut();
    while (const auto range = micro_batches()) {
      Tape tape = Tape::off({.packed_weights = &packed_});
      const DeviceBatch& batch =
          inputs_.try_emplace(range->count, device_, image_size_, range->count).first->second;
      made_up_.prepare(*range, batch);
      softmax_cross_entropy(tape, model_->forward(tape, batch.images), batch.labels).losses.to_host();
    }
  }

 private:
  MicroBatches cut() const { return {{0, options_.batch}, options_.micro_batch}; }

  const TrainOptions& options_;
  Device device_;
  ImageSize image_size_;
  std::unique_ptr<Model> model_;
  MadeUpBatches made_up_;
  std::map<int64_t, DeviceBatch> inputs_;  // for evaluation, by number of images
  PackedWeights packed_;                   // for evaluation
  std::optional<Optimizer> optimizer_;
  Solo solo_;
  std::optional<GradientSum> gradients_;
  int64_t updates_ = 0;
};

struct Result {
  int64_t image_side = 0;
  std::string device;
  std::vector<double> seconds;  // one for each step
  size_t allocator_bytes = 0;
  int64_t resident_bytes = 0;
  std::optional<Breakdown> breakdown;

  double step() const { return median(seconds); }
};

// Opens the device. With --breakdown also returns the backend that times its kernels, otherwise null.
std::pair<Device, TimingBackend*> open_timed(const Options& options) {
  const TrainOptions& training = options.training;
  if (!options.breakdown) return {open_device(training), nullptr};
  require(training.device == "cpu",
          "--breakdown: needs --device cpu, because a GPU's kernels run beside the program; ",
          "time them with Nsight Systems");
  auto timed = std::make_unique<TimingBackend>(
      make_cpu_backend(training.threads, training.convolution, training.instruction_set));
  TimingBackend* timing = timed.get();
  return {Device(std::move(timed)), timing};
}

Result measure(const Options& options) {
  const DatasetTraits data = data_of(options);
  const auto [device, timing] = open_timed(options);
  Network network(options, data, device);
  const auto step = [&] { options.evaluate ? network.evaluate() : network.train(); };

  Result result;
  result.image_side = data.image_size.height;
  result.device = device.backend().name();
  for (int64_t i = 0; i < options.warmup; ++i) step();
  if (timing != nullptr) timing->forget();
  double total = 0;
  for (int64_t i = 0; i < options.steps; ++i) {
    const Stopwatch watch;
    step();
    result.seconds.push_back(watch.seconds());
    total += result.seconds.back();
  }
  result.allocator_bytes = device.memory().use().peak;
  result.resident_bytes = peak_resident_bytes();
  if (timing != nullptr) result.breakdown.emplace(timing->times(), total, options.steps);
  return result;
}

void print_json(const Options& options, const Result& result) {
  const TrainOptions& training = options.training;
  nlohmann::json json = {{"program", "step_bench"},
                         {"model", training.model},
                         {"image_size", result.image_side},
                         {"mode", options.evaluate ? "evaluate" : "train"},
                         {"batch", training.batch},
                         {"ghost_batch", training.ghost_batch},
                         {"micro_batch", training.micro_batch},
                         {"gradient_sum", training.exact_sum ? "exact" : "float"},
                         {"device", result.device},
                         {"precision", name_of(training.precision)},
                         {"threads", training.threads},
                         {"convolution", name_of(training.convolution)},
                         {"instruction_set", name_of(training.instruction_set)},
                         {"steps", options.steps},
                         {"seconds_per_step", result.step()},
                         {"seconds", result.seconds},
                         {"images_per_second", static_cast<double>(training.batch) / result.step()},
                         {"peak_resident_bytes", result.resident_bytes},
                         {"peak_allocator_bytes", result.allocator_bytes}};
  if (result.breakdown) json["breakdown"] = result.breakdown->json();
  fmt::print("{}\n", json.dump());
}

void print_text(const Options& options, const Result& result) {
  const TrainOptions& training = options.training;
  const auto mebibytes = [](auto bytes) { return static_cast<double>(bytes) / (1 << 20); };
  const auto [least, most] = std::minmax_element(result.seconds.begin(), result.seconds.end());
  fmt::print("{} {}, {}x{} pixels, batch {} (ghost batch {}, micro-batch {}), {}",
             options.evaluate ? "evaluating" : "training", training.model, result.image_side,
             result.image_side, training.batch, training.ghost_batch, training.micro_batch, result.device);
  if (training.device == "cpu") fmt::print(", convolution {}", name_of(training.convolution));
  fmt::print("\n");
  fmt::print("a step     {:.4f} s, the median of {} from {:.4f} to {:.4f}\n", result.step(), options.steps,
             *least, *most);
  fmt::print("images/s   {:.1f}\n", static_cast<double>(training.batch) / result.step());
  fmt::print("memory     {:.0f} MiB from the allocator at most, {:.0f} MiB resident at most\n",
             mebibytes(result.allocator_bytes), mebibytes(result.resident_bytes));
  if (result.breakdown) fmt::print("\nMeans per step:\n{}", result.breakdown->table());
}

// Returns the standard deviation of times as a fraction of their mean.
double spread(const std::vector<double>& times) {
  const auto count = static_cast<double>(times.size());
  double mean = 0, squares = 0;
  for (const double seconds : times) mean += seconds / count;
  for (const double seconds : times) squares += (seconds - mean) * (seconds - mean);
  return std::sqrt(squares / count) / mean;
}

// Prints the flags of crescendo plan that say how long an update takes on a machine like this one. The first
// two are fitted to steps of one ghost batch and of the whole batch. The spread is that of the latter.
int measure_cost(const Options& options) {
  Options single = options;
  single.training.batch = single.training.micro_batch = options.training.ghost_batch;
  const int64_t ghosts = options.training.batch / options.training.ghost_batch;
  require(ghosts > 1, "--cost-model: found a batch of ", options.training.batch,
          ", expected two ghost batches or more");
  const Result one = measure(single), all = measure(options);
  const CostModel cost = fit_cost({.ghosts = 1, .seconds = one.step()},
                                  {.ghosts = static_cast<double>(ghosts), .seconds = all.step()});
  fmt::print("--seconds-per-ghost {:.4g} --seconds-per-update {:.4g} --spread {:.2g}\n", cost.per_ghost,
             cost.per_update, spread(all.seconds));
  return kDone;
}

int run(Options& options) {
  TrainOptions& training = options.training;
  training.threads = Threads(training.threads).count();
  training.optimizer = OptimizerKind::nesterov;
  const int64_t ghost = training.ghost_batch;
  if (training.micro_batch == 0) training.micro_batch = ghost;
  const int64_t micro_batch = training.micro_batch;
  require(training.batch % ghost == 0, "--batch ", training.batch, " is no multiple of --ghost-batch ",
          ghost);
  require(micro_batch % ghost == 0, "--micro-batch ", micro_batch, " is no multiple of --ghost-batch ",
          ghost);
  if (options.cost_model) return measure_cost(options);
  const Result result = measure(options);
  (options.json ? print_json : print_text)(options, result);
  return kDone;
}

void add_options(CLI::App& app, Options& options) {
  const auto count = [&](const char* name, int64_t& value, int64_t least, const char* meaning) {
    app.add_option(name, value, meaning)->check(CLI::Range(least, int64_t{1} << 24))->capture_default_str();
  };
  app.add_option("--model", options.training.model, "Network by name, such as wrn-16-4 or resnet-50")
      ->capture_default_str();
  count("--image-size", options.image_side, 0,
        "Height and width of an image; 0 is 32 for wrn-D-W and the usual ImageNet size for others");
  count("--batch", options.training.batch, 1, "Batch: number of images per step");
  count("--ghost-batch", options.training.ghost_batch, 1,
        "Ghost batch: number of images over which batch norm computes its statistics");
  count("--micro-batch", options.training.micro_batch, 0,
        "Micro-batch: number of images per forward and backward pass; 0 is one ghost batch");
  app.add_option_function<std::string>(
         "--gradient-sum", [&](const std::string& word) { options.training.exact_sum = word == "exact"; },
         "Sums over ghost batches: exact, or rounded in float")
      ->check(CLI::IsMember({"exact", "float"}))
      ->default_str(options.training.exact_sum ? "exact" : "float");
  app.add_option("--device", options.training.device, "Device to compute on: cpu, cuda or cuda:N")
      ->capture_default_str();
  add_precision_option(app, options.training.precision);
  add_threads_option(app, options.training.threads);
  add_convolution_option(app, options.training.convolution);
  add_instruction_set_option(app, options.training.instruction_set);
  app.add_flag("--evaluate", options.evaluate, "Time evaluation: forward pass and loss only");
  count("--steps", options.steps, 1, "Number of steps to time");
  count("--warmup", options.warmup, 0, "Number of steps before the timed ones");
  app.add_flag(
      "--breakdown", options.breakdown,
      "Show time, GFLOP/s (of direct convolution) and GB/s (each operand once) of every kernel and size");
  app.add_flag("--json", options.json, "Print one JSON object");
  app.add_flag("--cost-model", options.cost_model,
               "Print only the flags with which crescendo plan --workers predicts times");
}

}  // namespace
}  // namespace crescendo::bench

int main(int argc, char** argv) {
  using namespace crescendo::bench;
  CLI::App app("Times whole training steps on images in memory: median seconds, images/s and peak memory.",
               "step_bench");
  Options options;
  add_options(app, options);
  app.footer(
      "Examples:\n"
      "  step_bench --model wrn-16-4 --batch 128 --threads 2\n"
      "  step_bench --device cuda --precision bf16 --batch 1024\n"
      "  step_bench --model resnet-50 --batch 16 --ghost-batch 16 --breakdown\n"
      "  step_bench --batch 512 --micro-batch 256 --breakdown\n"
      "  step_bench --evaluate --convolution direct --json\n"
      "  step_bench --model wrn-16-4 --batch 512 --threads 1 --cost-model");
  return run_program(app, argc, argv, [&] { return run(options); });
}

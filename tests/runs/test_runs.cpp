// Whole training runs on devices of every precision: what a run promises holds on each.
#include "support/run_devices.h"
#include "support/tiny_run.h"
#include "support/training_agreement.h"
#include "trainer/store/checkpoint.h"

namespace crescendo::test {
namespace {

// An odd epoch's edge, two sizes of micro-batch and three batches come up.
TrainOptions device_run(const RunDevice& on) {
  TrainOptions options = tiny_run();
  options.train_images = 40;
  options.micro_batch = 16;
  options.device = "cuda";
  options.precision = on.precision;
  options.convolution = on.convolution;
  return options;
}

TrainingData device_data() { return {byte_data(40, true), byte_data(20, false)}; }

void run_on(const RunDevice& on, const TrainOptions& options, const std::string& folder) {
  const Device device = on.open();
  train(options, folder, device_data(), &device);
}

std::vector<real> weights_on(const Device& device, const std::string& checkpoint) {
  const auto model = make_model("wrn-10-1", {.classes = 4});
  model->parameters.allocate(device);
  load_weights(checkpoint, model->parameters);
  return model->parameters.values().to_host();
}

// Returns every device, with sums in float and with exact ones.
std::vector<std::pair<RunDevice, bool>> devices_and_sums() {
  std::vector<std::pair<RunDevice, bool>> all;
  for (const RunDevice& on : run_devices())
    for (const bool exact : {false, true}) all.emplace_back(on, exact);
  return all;
}

// Half the steps between neighbouring values, relative to the value.
double rounding(Precision precision) {
  return std::ldexp(1, precision == Precision::bf16 ? -8 : precision == Precision::tf32 ? -11 : -23);
}

}  // namespace

TEST_CASE("runs: equal bits for the same seed, any micro-batch, and when stopped and resumed") {
  for (const auto& pair : devices_and_sums()) {
    const RunDevice& on = pair.first;
    const bool exact = pair.second;
    CAPTURE(name_of(on.precision));
    CAPTURE(exact);
    const bool own = on.convolution == ConvolutionAlgorithm::own;
    CAPTURE(own);
    const Folder folder;
    TrainOptions options = device_run(on);
    options.exact_sum = exact;
    run_on(on, options, folder / "first");
    const std::string digest = digest_of(folder / "first"), story = story_of(folder / "first");
    run_on(on, options, folder / "second");
    options.micro_batch = 8;
    run_on(on, options, folder / "cut");
    options.micro_batch = 32;
    options.max_updates = 2;
    run_on(on, options, folder / "stopped");
    options.max_updates = -1;
    options.resume = true;
    run_on(on, options, folder / "stopped");
    for (const char* name : {"second", "cut", "stopped"}) {
      CAPTURE(name);
      CHECK(digest_of(folder / name) == digest);
      CHECK(story_of(folder / name) == story);
    }
  }
}

TEST_CASE("runs: images that are loaded give the bits of those that the device holds") {
  for (const RunDevice& on : run_devices()) {
    CAPTURE(name_of(on.precision));
    const bool own = on.convolution == ConvolutionAlgorithm::own;
    CAPTURE(own);
    const Folder folder;
    TrainOptions options = device_run(on);
    options.max_updates = 3;
    run_on(on, options, folder / "held");
    options.loader_threads = 2;
    const Device device = on.open();
    train(options, folder / "loaded", loaded(device_data()), &device);
    CHECK(digest_of(folder / "loaded") == digest_of(folder / "held"));
    CHECK(story_of(folder / "loaded") == story_of(folder / "held"));
  }
}

TEST_CASE("runs: a checkpoint moves from the device to the processor, and back") {
  for (const RunDevice& on : run_devices()) {
    CAPTURE(name_of(on.precision));
    const bool own = on.convolution == ConvolutionAlgorithm::own;
    CAPTURE(own);
    const Folder folder;
    const std::string run = folder / "run";
    TrainOptions there = device_run(on), here = tiny_run();
    here.train_images = there.train_images;
    const auto checkpoint = [&] { return resolve_checkpoint(run, [](const std::string&) {}); };
    there.max_updates = 1;
    run_on(on, there, run);
    CHECK(weights_on(on.open(), checkpoint()) == weights_on(Device::cpu(1), checkpoint()));
    here.resume = there.resume = true;
    here.max_updates = 2;
    train(here, run, device_data());
    CHECK(weights_on(on.open(), checkpoint()) == weights_on(Device::cpu(1), checkpoint()));
    there.max_updates = 3;
    there.convolution = here.convolution;  // of the run, as the processor left it
    run_on(on, there, run);
    CHECK(read_checkpoint_info(checkpoint()).counters.updates == 3);
  }
}

TEST_CASE("runs: training steps agree with the processor's within the rounding of activations") {
  for (const RunDevice& on : run_devices()) {
    CAPTURE(name_of(on.precision));
    const bool own = on.convolution == ConvolutionAlgorithm::own;
    CAPTURE(own);
    check_training(on.open(), rounding(on.precision));
  }
}

}  // namespace crescendo::test

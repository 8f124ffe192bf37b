// Training on a device that has memory of its own, captures and replays micro-steps,
// and runs while the host goes on.
#include <doctest/doctest.h>

#include <cmath>

#include "engine/replay.h"
#include "kernels/cpu/backend.h"
#include "support/run_kernel.h"
#include "support/tiny_run.h"
#include "support/tracing_backend.h"
#include "trainer/plan/memory.h"

namespace crescendo {

using namespace test;

namespace {

struct Traced {
  explicit Traced(bool captures = true, CopyTime copies = CopyTime::last)
      : backend(new TracingBackend(make_cpu_backend(1), captures, copies)),
        device(std::unique_ptr<Backend>(backend)) {}
  TracingBackend* backend;
  Device device;
};

TrainOptions short_steps() {
  TrainOptions options = tiny_run();
  options.micro_batch = 8;
  return options;
}

}  // namespace

TEST_CASE("a run that is captured and replayed ends in the same bits") {
  for (const bool bytes : {false, true})
    for (const bool noise_scale : {false, true})
      for (const EpochEdge edge : {EpochEdge::straddle, EpochEdge::drop}) {
        CAPTURE(bytes);
        CAPTURE(noise_scale);
        const Folder folder;
        TrainOptions options = short_steps();
        options.noise_scale = noise_scale;
        options.epoch_edge = edge;
        if (edge == EpochEdge::drop) options.train_images = 40;
        const TrainingData data = bytes ? byte_run() : tiny_data();
        train(options, folder / "host", data);
        const Traced traced;
        train(options, folder / "device", data, &traced.device);
        CHECK(traced.backend->captures > 0);
        CHECK(traced.backend->launches > traced.backend->captures);
        CHECK(digest_of(folder / "device") == digest_of(folder / "host"));
        CHECK(story_of(folder / "device") == story_of(folder / "host"));
      }
}

TEST_CASE("a new micro-batch size leaves the memory of another size's capture alone") {
  for (const bool bytes : {false, true})
    for (const int64_t ghost : {2, 4, 8}) {
      CAPTURE(bytes);
      CAPTURE(ghost);
      const Folder folder;
      TrainOptions options = tiny_run();  // an update of 40 images has micro-batches of 16, 16 and 8
      options.ghost_batch = ghost;
      options.batch = options.micro_batch = 16;
      options.epochs = 10;
      options.milestones = {2};
      options.factor = 2.5;
      options.max_batch = 40;
      options.eval_every = 0;
      const TrainingData data = bytes ? byte_run() : tiny_data();
      train(options, folder / "host", data);
      const Traced traced;
      train(options, folder / "device", data, &traced.device);
      CHECK(traced.backend->captures >= 3);
      CHECK(digest_of(folder / "device") == digest_of(folder / "host"));
    }
}

TEST_CASE("loaded images arrive intact, whether the device copies early or late") {
  const Folder folder;
  TrainOptions options = short_steps();
  options.noise_scale = false;
  train(options, folder / "host", tiny_data());
  for (const CopyTime copies : {CopyTime::first, CopyTime::last})
    for (const int workers : {0, 3}) {
      const bool first = copies == CopyTime::first;
      CAPTURE(first);
      CAPTURE(workers);
      const std::string run = folder / join("device ", first, workers);
      options.loader_threads = workers;
      const Traced traced(true, copies);
      train(options, run, tiny_data(), &traced.device);
      CHECK(traced.backend->launches > 0);
      CHECK(digest_of(run) == digest_of(folder / "host"));
      CHECK(story_of(run) == story_of(folder / "host"));
    }
}

TEST_CASE("a prepared batch outlives the batches object that prepared it") {
  const auto set = std::make_shared<TinyData>(48);
  for (const CopyTime copies : {CopyTime::first, CopyTime::last})
    for (const auto& [workers, chunk] : {std::pair(0, 8), {2, 8}, {0, 4}, {2, 2}}) {
      const Traced traced(true, copies);
      const DeviceBatch batch(traced.device, set->image_size(), 8);
      DeviceData(traced.device, set)
          .batches({.shuffle = false, .seed = 3, .chunk = chunk, .workers = workers}, 8)
          ->prepare({0, 8}, batch);
      std::vector<real> expected(static_cast<size_t>(batch.images.size()));
      for (int64_t i = 0; i < 8; ++i) {
        std::vector<float> pixels(192);
        CHECK(set->sample(i, {.seed = 3}, pixels.data()) ==
              batch.labels.indices_to_host()[static_cast<size_t>(i)]);
        std::copy(pixels.begin(), pixels.end(), expected.begin() + i * 192);
      }
      CHECK(batch.images.to_host() == expected);
    }
}

TEST_CASE("stopped and resumed between host and device, a run ends in the same bits") {
  const Folder folder;
  const TrainOptions options = short_steps();
  train(options, folder / "whole", byte_run());
  for (const bool device_first : {false, true}) {
    CAPTURE(device_first);
    const std::string name = folder / (device_first ? "device first" : "host first");
    const Traced traced;
    TrainOptions part = options;
    part.max_updates = 3;
    train(part, name, byte_run(), device_first ? &traced.device : nullptr);
    part.max_updates = -1;
    part.resume = true;
    train(part, name, byte_run(), device_first ? nullptr : &traced.device);
    CHECK(digest_of(name) == digest_of(folder / "whole"));
    CHECK(story_of(name) == story_of(folder / "whole"));
  }
}

TEST_CASE("from the third on, micro-steps make the same calls with the same pointers and allocate nothing") {
  for (const bool bytes : {false, true}) {
    CAPTURE(bytes);
    const Traced traced(false);
    const TrainOptions options = short_steps();
    const auto model = make_model(options.model, {.classes = 4});
    model->parameters.allocate(traced.device);
    model->parameters.initialise(1);
    const DeviceData data(traced.device, bytes ? byte_data(48, true) : std::make_shared<TinyData>(48));
    Solo solo;
    GradientSum gradients(
        options, 8, *model, {8, 8, 3}, traced.device,
        [&] { return data.batches({.chunk = options.ghost_batch, .workers = 0}, 8); }, solo);
    Optimizer optimizer(options, model->parameters);
    gradients.start({});
    std::vector<std::vector<KernelCall>> traces;
    const DeviceStreams& streams = traced.backend->streams();
    std::vector<int64_t> allocations, transfers, uploads, host_blocks;
    for (int64_t update = 0; update < 4; ++update) {
      gradients.begin({8 * update, 8}, {8 * update, 8});
      traced.backend->trace.clear();
      gradients.add({8 * update, 8});
      optimizer.step({.learning_rate = 0.1, .momentum = 0.9, .weight_decay = 0, .batch = 8}, update + 1,
                     gradients.finish(), gradients.counters());
      traces.push_back(traced.backend->trace);
      allocations.push_back(traced.backend->allocations);
      transfers.push_back(traced.backend->transfers);
      uploads.push_back(streams.uploads);
      host_blocks.push_back(streams.host_blocks);
    }
    REQUIRE(traces[2].size() > 50);
    REQUIRE(traces[3].size() == traces[2].size());
    for (size_t i = 0; i < traces[2].size(); ++i) {
      CAPTURE(i);
      CHECK(traces[3][i] == traces[2][i]);
    }
    CHECK(allocations[3] == allocations[1]);
    CHECK(host_blocks[3] == host_blocks[1]);
    CHECK(transfers[3] == transfers[1]);
    CHECK(uploads[3] - uploads[1] == (bytes ? 0 : 2));
    // The host has waited for no kernel of the last two updates,
    // and only for the first one of the update before.
    CHECK(streams.waiting() >= 3 * traces[3].size());
  }
}

TEST_CASE("a set on the device is evaluated there by micro-batches larger than it, with the same result") {
  const auto set = byte_data(20, false);
  const auto result_on = [&](const Device& device, int64_t micro_batch) {
    const auto model = make_model("wrn-10-1", {.classes = 4});
    model->parameters.allocate(device);
    model->parameters.initialise(1);
    Solo solo;
    return evaluate(*model, DeviceData(device, set),
                    {.micro_batch = micro_batch, .loader_threads = 0, .stop = {}, .progress = {}}, solo)
        .value();
  };
  const Evaluation expected = result_on(Device::cpu(1), 7);
  const Traced traced;
  const Evaluation found = result_on(traced.device, 1000);
  CHECK(found.loss == expected.loss);
  CHECK(found.correct == expected.correct);
  CHECK(found.total == 20);
  CHECK(traced.backend->count<GatherImages>() == 1);
}

TEST_CASE("memory that captured kernels use must be free when they are replayed") {
  const Traced traced;
  Allocator& memory = traced.device.memory();
  Replay replay(traced.device);
  const auto work = [&] {
    void* block = memory.allocate(4096);
    traced.device.run(Fill{.n = 1024, .value = 1, .to = static_cast<real*>(block)});
    memory.release(block, 4096);
  };
  for (int run = 0; run < 5; ++run) CHECK(replay.run(work) == (run > 2));
  CHECK(traced.backend->trace.size() == 3);  // two runs and the capture
  void* taken = memory.allocate(4096);
  CHECK_THROWS_AS(replay.run(work), std::logic_error);
  memory.release(taken, 4096);
  CHECK(replay.run(work));
}

TEST_CASE("a non-finite update is undone and explained, although the host learns of it late") {
  constexpr int64_t kImages = 480;  // metrics are due every third update
  TrainOptions options = tiny_run();
  options.batch = options.ghost_batch = 8;
  options.milestones = {};
  options.epochs = 1;
  options.shuffle = false;
  options.checkpoint_every = 1000;
  const Folder folder;
  const auto message_of = [&](const TrainOptions& run, const std::string& name, const Device* device) {
    const TrainingData data{std::make_shared<TinyData>(kImages, 73), std::make_shared<TinyData>(20)};
    try {
      train(run, name, data, device);
    } catch (const NonFiniteError& error) {
      CHECK(error.update.first == 72);
      CHECK(error.updates_not_made >= 1);
      const std::vector<EndMetrics> ends = read_metrics(name + "/metrics.jsonl").ends;
      REQUIRE(ends.size() == 1);
      CHECK(ends[0].updates == 9);
      CHECK(ends[0].samples == 72);
      return std::string(error.what());
    }
    return std::string();
  };
  const Traced traced;
  const std::string late = message_of(options, folder / "late", &traced.device);
  CHECK(late.find("samples 72 to 79 is not finite; the first layer to go wrong is the input") != late.npos);
  TrainOptions looking = options;
  looking.checkpoint_every = 1;
  CHECK(message_of(looking, folder / "at once", nullptr) == late);
}

TEST_CASE("the loss of an evaluation is NaN if that of an image is") {
  for (const bool bad : {false, true}) {
    const auto model = make_model("wrn-10-1", {.classes = 4});
    model->parameters.allocate(Device::cpu(1));
    model->parameters.initialise(1);
    const DeviceData data(Device::cpu(1), std::make_shared<TinyData>(20, bad ? 11 : -1));
    Solo solo;
    const Evaluation result =
        evaluate(*model, data, {.micro_batch = 7, .loader_threads = 0, .stop = {}, .progress = {}}, solo)
            .value();
    CHECK(std::isnan(result.loss) == bad);
    CHECK(result.total == 20);
  }
}

TEST_CASE("micro-batch auto takes the largest that fits, and the run holds as much as was computed") {
  for (const bool loads : {false, true}) {
    CAPTURE(loads);
    TrainOptions options = tiny_run();
    if (loads) options.data = "image-folder";
    const DatasetTraits traits{.image_size = {8, 8, 3}, .classes = 4, .train_images = 48, .test_images = 20};
    CHECK(micro_batch_size(options, Device::cpu(1), traits) == options.ghost_batch);
    const Traced traced;
    CHECK(micro_batch_size(options, traced.device, traits) == 48);  // the largest batch
    const auto peak = [&](int64_t micro_batch) {
      return training_memory(options, traced.device, traits, micro_batch).peak_bytes;
    };
    for (const int64_t micro_batch : {8, 16, 32, 40}) {
      CAPTURE(micro_batch);
      REQUIRE(peak(micro_batch) < peak(micro_batch + 8));
      traced.backend->memory = static_cast<size_t>(peak(micro_batch)) * 16 / 15 + 16;
      const int64_t chosen = micro_batch_size(options, traced.device, traits);
      CHECK((chosen == micro_batch || micro_batch == 32));  // 16 + 32 images take no more than 8 + 16 + 24
      const Folder folder;
      const Traced run;
      run.backend->memory = traced.backend->memory;
      train(options, folder / "run", loads ? tiny_data() : byte_run(), &run.device);
      const auto held = static_cast<int64_t>(run.device.memory().use().peak);
      CHECK(held <= static_cast<int64_t>(run.backend->memory));
      // A chunk is a sixteenth of the memory held. The requests that need a new one may differ.
      CHECK(std::abs(held - peak(chosen)) <= peak(chosen) / 16);
    }
    TrainOptions nothing = options;  // an epoch shorter than half a batch
    nothing.epochs = 1;
    nothing.milestones = {};
    CHECK(micro_batch_size(nothing, traced.device,
                           {.image_size = {8, 8, 3}, .classes = 4, .train_images = 4}) == 8);
    traced.backend->memory = static_cast<size_t>(peak(8) / 2);
    CHECK_THROWS_WITH_AS(micro_batch_size(options, traced.device, traits),
                         doctest::Contains("a ghost batch of 8 images needs"), std::invalid_argument);
  }
}

TEST_CASE("a device holds a data set's bytes, but only the staged images of an image folder") {
  TrainOptions options = tiny_run();
  options.exact_sum = false;  // 5000 ghost batches' gradients take more than the images
  constexpr int64_t kTrain = 200'000, kTest = 50'000;
  const DatasetTraits traits{
      .image_size = {8, 8, 3}, .classes = 4, .train_images = kTrain, .test_images = kTest};
  const Traced traced;
  const auto peak = [&](const std::string& data, const Device& device, int64_t micro_batch) {
    options.data = data;
    return training_memory(options, device, traits, micro_batch).peak_bytes;
  };
  const int64_t resident = DeviceData::resident_bytes(kTrain, traits.image_size) +
                           DeviceData::resident_bytes(kTest, traits.image_size);
  const int64_t folder = peak("image-folder", traced.device, 8);
  REQUIRE(resident > 10 * folder);
  const int64_t held = peak("shapes", traced.device, 8) - folder;
  CHECK(held > resident - folder / 8);
  CHECK(held < resident + resident / 8);  // a sixteenth for the last chunk, and one for gaps
  // Staged images have 4 bytes per value. Training and evaluation stage their own.
  constexpr int64_t kMany = 40'000;
  const int64_t staged = 2 * kMany * (8 * 8 * 3 + 1) * 4;
  const int64_t loaded = peak("image-folder", traced.device, kMany),
                in_place = peak("image-folder", Device::cpu(1), kMany);
  CHECK(loaded - in_place > staged / 2);
  CHECK(loaded - in_place < 2 * staged);
}

}  // namespace crescendo

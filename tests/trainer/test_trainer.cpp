// Whole runs on a tiny drawn data set: stopped at every update and resumed, cut into other micro-batches, on
// other numbers of threads and loader workers, the result is the same to the last bit.
#include "trainer/trainer.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "support/tiny_run.h"

namespace crescendo {

using namespace test;

namespace {

// Takes a key out of the configuration in the run's newest checkpoint.
void forget_key(const std::string& run, const std::string& key, const TrainOptions& options) {
  const auto model = make_model(options.model, model_options(options, 4));
  model->parameters.allocate(Device::cpu(1));
  const Optimizer optimizer(options, model->parameters);
  TrainingState state{.info = {}, .parameters = model->parameters, .optimizer = optimizer.buffers()};
  state.info.model = options.model;
  const std::string path = resolve_checkpoint(run, [](const std::string&) {});
  load_checkpoint(path, state);
  std::string& config = state.info.config;
  const size_t line = config.find("\n" + key + " = ") + 1;
  REQUIRE(line != std::string::npos + 1);
  config.erase(line, config.find('\n', line) + 1 - line);
  save_checkpoint(path, state);
}

}  // namespace

TEST_CASE("a run learns, and the same seed gives equal bits") {
  const Folder folder;
  const TrainResult first = train(tiny_run(), folder / "a");
  train(tiny_run(), folder / "b");
  CHECK(first.reason == "finished");
  CHECK(digest_of(folder / "a") == digest_of(folder / "b"));
  CHECK(story_of(folder / "a") == story_of(folder / "b"));
  TrainOptions other = tiny_run();
  other.seed = 2;
  train(other, folder / "c");
  CHECK(digest_of(folder / "a") != digest_of(folder / "c"));
  TrainOptions longer = tiny_run();
  longer.epochs = 8;
  CHECK(train(longer, folder / "d").evaluation->accuracy() >= 0.75);
}

TEST_CASE("stopped at every update and resumed, a run ends in the same bits") {
  for (const bool noise_scale : {false, true}) {
    for (const EpochEdge edge : {EpochEdge::straddle, EpochEdge::drop}) {
      const Folder folder;
      TrainOptions options = tiny_run();
      options.exact_sum = edge == EpochEdge::straddle;
      options.noise_scale = noise_scale;
      options.epoch_edge = edge;
      if (noise_scale) options.ghost_batch = 16;  // the first segment's updates are compared in pairs
      const TrainResult whole = train(options, folder / "whole");
      const int64_t updates = whole.counters.updates;
      REQUIRE(updates >= 5);
      for (int64_t stop = 0; stop <= updates; ++stop) {
        CAPTURE(stop);
        const std::string name = folder / std::to_string(stop);
        TrainOptions part = options;
        part.max_updates = stop;
        part.resume = true;
        CHECK(train(part, name).counters.updates == stop);
        part.max_updates = -1;
        CHECK(train(part, name).counters.updates == updates);
        CHECK(digest_of(name) == digest_of(folder / "whole"));
        CHECK(story_of(name) == story_of(folder / "whole"));
      }
    }
  }
}

TEST_CASE("micro-batch, threads and loader workers change no bit") {
  for (const bool exact : {false, true}) {
    CAPTURE(exact);
    const Folder folder;
    const auto tiny_run = [&] {
      TrainOptions options = test::tiny_run();
      options.exact_sum = exact;
      return options;
    };
    train(tiny_run(), folder / "reference");
    const std::string expected = digest_of(folder / "reference"), story = story_of(folder / "reference");
    int run = 0;
    const auto check = [&](TrainOptions options) {
      const std::string name = folder / std::to_string(run++);
      train(options, name);
      CHECK(digest_of(name) == expected);
      CHECK(story_of(name) == story);
    };
    for (const int64_t micro_batch : {8, 16, 24, 40, 64}) {  // dividing the batch or not
      CAPTURE(micro_batch);
      TrainOptions options = tiny_run();
      options.micro_batch = micro_batch;
      check(options);
    }
    for (const int threads : {2, 3, 8}) {
      CAPTURE(threads);
      TrainOptions options = tiny_run();
      options.threads = threads;
      options.micro_batch = 16;
      check(options);
    }
    for (const int workers : {1, 2, 3, 4}) {
      CAPTURE(workers);
      TrainOptions options = tiny_run();
      options.loader_threads = workers;
      check(options);
    }
    TrainOptions measured = tiny_run();
    measured.noise_scale = true;
    train(measured, folder / "measured");
    CHECK_MESSAGE(digest_of(folder / "measured") != expected, "the pair buffer is part of the state");
    CHECK(read_metrics(folder / "measured/metrics.jsonl").train.back().measured_noise_scale.has_value());
    measured.micro_batch = 24;
    train(measured, folder / "measured otherwise");
    CHECK(digest_of(folder / "measured otherwise") == digest_of(folder / "measured"));
    CHECK(story_of(folder / "measured otherwise") == story_of(folder / "measured"));
  }
}

TEST_CASE("both ways of following running statistics, every optimizer") {
  const Folder folder;
  for (const bool exact : {false, true})
    for (const RunningStatistics statistics :
         {RunningStatistics::sequential, RunningStatistics::mean_of_ghosts})
      for (const OptimizerKind optimizer :
           {OptimizerKind::sgd, OptimizerKind::momentum, OptimizerKind::nesterov, OptimizerKind::adam}) {
        const int64_t id = 100 * static_cast<int64_t>(exact) + 10 * static_cast<int64_t>(statistics) +
                           static_cast<int64_t>(optimizer);
        CAPTURE(id);
        TrainOptions options = tiny_run();
        options.exact_sum = exact;
        options.running_statistics = statistics;
        options.optimizer = optimizer;
        if (optimizer == OptimizerKind::adam) options.learning_rate = 0.003;
        const std::string whole = folder / ("whole" + std::to_string(id)),
                          cut = folder / ("cut" + std::to_string(id));
        train(options, whole);
        options.resume = true;
        options.max_updates = 3;
        train(options, cut);
        options.max_updates = -1;
        options.micro_batch = 16;
        train(options, cut);
        CHECK(digest_of(cut) == digest_of(whole));
      }
}

TEST_CASE("a value that is not finite stops the run before the update and keeps the last good checkpoint") {
  const Folder folder;
  const TrainingData bad{std::make_shared<TinyData>(48, 30), std::make_shared<TinyData>(20)};
  TrainOptions options = tiny_run();
  options.shuffle = false;  // image 30 is in the second update
  std::string message;
  try {
    train(options, folder / "bad", bad);
  } catch (const NonFiniteError& error) {
    message = error.what();
  }
  CHECK(message.find("samples 24 to 31") != message.npos);
  CHECK(message.find("the input") != message.npos);
  const std::string checkpoint = resolve_checkpoint(folder / "bad", [](const std::string&) {});
  CHECK(read_checkpoint_info(checkpoint).counters.updates == 1);
}

TEST_CASE("too large a learning rate is stopped with the first layer named") {
  for (const bool exact : {false, true}) {
    const Folder folder;
    TrainOptions options = tiny_run();
    options.exact_sum = exact;
    options.learning_rate = 1e30;
    std::string message;
    try {
      train(options, folder / "far");
    } catch (const NonFiniteError& error) {
      message = error.what();
    }
    CHECK(message.find("not finite") != message.npos);
    CHECK((message.find("conv") != message.npos || message.find("fc") != message.npos ||
           message.find("bn") != message.npos));
  }
}

TEST_CASE("sums over ghost batches: exact and float agree within float's rounding, and differ") {
  const Folder folder;
  TrainOptions options = tiny_run();
  std::vector<double> losses;
  for (const bool exact : {false, true}) {
    options.exact_sum = exact;
    const std::string name = folder / (exact ? "exact" : "float");
    train(options, name);
    losses.push_back(read_metrics(name + "/metrics.jsonl").train.back().loss);
  }
  CHECK(digest_of(folder / "exact") != digest_of(folder / "float"));
  CHECK(std::abs(losses[0] - losses[1]) <= 1e-4 * losses[0]);
}

TEST_CASE("a resumed run keeps its sums; one from before exact sums has them in float") {
  for (const bool exact : {false, true}) {
    CAPTURE(exact);
    const Folder folder;
    TrainOptions options = tiny_run();
    options.exact_sum = exact;
    train(options, folder / "whole");
    options.max_updates = 2;
    train(options, folder / "cut");
    if (!exact) forget_key(folder / "cut", "gradient-sum", options);
    options.resume = true;
    options.exact_sum = !exact;
    for (const int64_t updates : {4, -1}) {
      options.max_updates = updates;
      train(options, folder / "cut");
    }
    CHECK(digest_of(folder / "cut") == digest_of(folder / "whole"));
  }
}

TEST_CASE("a second trainer on one run folder, and a folder in use without --resume, are refused") {
  const Folder folder;
  TrainOptions options = tiny_run();
  options.run_dir = folder / "run";
  Progress progress(Output::warnings);
  Solo solo;
  options = settled_options(options, solo);
  Trainer first(options, tiny_data(), open_device(options), progress, {}, solo);
  options.resume = true;
  CHECK_THROWS_AS(Trainer(options, tiny_data(), open_device(options), progress, {}, solo),
                  std::invalid_argument);
  first.run();
}

TEST_CASE("a resume with other settings is refused") {
  const Folder folder;
  TrainOptions options = tiny_run();
  options.max_updates = 2;
  train(options, folder / "run");
  options.run_dir = folder / "run";
  options.resume = true;
  Progress progress(Output::warnings);
  options.seed = 2;
  Solo solo;
  CHECK_THROWS_WITH_AS(Trainer(options, tiny_data(), open_device(options), progress, {}, solo),
                       doctest::Contains("--seed"), std::invalid_argument);
}

TEST_CASE("a resume on other training images is refused; other test images are a warning") {
  const Folder folder;
  TrainOptions options = tiny_run();
  options.max_updates = 2;
  const TrainingData data = byte_run();
  train(options, folder / "run", data);
  options.resume = true;
  options.max_updates = 3;
  const TrainingData fewer{byte_data(47, true), data.test}, tested{data.train, byte_data(19, false)};
  CHECK_THROWS_WITH_AS(train(options, folder / "run", fewer),
                       doctest::Contains("was trained on 48 images with digest"), std::invalid_argument);
  CHECK_THROWS_WITH_AS(train(options, folder / "run", fewer),
                       doctest::Contains(", found 47 images with digest"), std::invalid_argument);
  CHECK(train(options, folder / "run", tested).counters.updates == 3);
}

TEST_CASE("a resumed run keeps its instruction set, and another one is taken when asked for") {
  for (const InstructionSet set : instruction_sets()) {
    CAPTURE(name_of(set));
    const Folder folder;
    TrainOptions options = tiny_run();
    options.instruction_set = set;
    const TrainResult whole = train(options, folder / "whole");
    options.max_updates = 2;
    train(options, folder / "kept");
    train(options, folder / "moved");
    options.max_updates = -1;
    options.resume = true;
    options.instruction_set = InstructionSet::automatic;
    CHECK(train(options, folder / "kept").counters.updates == whole.counters.updates);
    CHECK(digest_of(folder / "kept") == digest_of(folder / "whole"));
    options.instruction_set = instruction_sets().back();
    CHECK(train(options, folder / "moved").counters.updates == whole.counters.updates);
  }
}

}  // namespace crescendo

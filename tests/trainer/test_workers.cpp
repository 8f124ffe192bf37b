// Runs on several workers: whatever their number, and however late each comes, the bits are those of one. What
// fails on one worker ends all of them.
#include <doctest/doctest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <thread>

#include "base/host_name.h"
#include "kernels/backend_decorator.h"
#include "kernels/cpu/backend.h"
#include "support/thread_communicator.h"
#include "support/tiny_run.h"
#include "trainer/workers/replicas.h"
#include "trainer/workers/roll_call.h"

namespace crescendo {

using namespace test;

namespace {

// Trains on as many threads as workers.
void train_on(int workers, const TrainOptions& options, const std::string& folder,
              const TrainingData& data = tiny_data()) {
  run_workers(workers,
              [&](Communicator& communicator) { train(options, folder, data, nullptr, communicator); });
}

// Trains on one worker and on others, which must end in the same bits.
void check_workers(const TrainOptions& options, const std::vector<int>& numbers,
                   const TrainingData& data = tiny_data()) {
  const Folder folder;
  train(options, folder / "one", data);
  for (const int workers : numbers) {
    CAPTURE(workers);
    const std::string name = folder / std::to_string(workers);
    train_on(workers, options, name, data);
    CHECK(digest_of(name) == digest_of(folder / "one"));
    CHECK(story_of(name) == story_of(folder / "one"));
  }
}

// Returns the message of the SharedError that all workers throw.
std::string shared_error(int workers, const std::function<void(Communicator&)>& work, int exit_code = 2) {
  std::atomic<int> thrown = 0;
  std::vector<std::string> messages(static_cast<size_t>(workers));
  run_workers(workers, [&](Communicator& communicator) {
    try {
      work(communicator);
    } catch (const SharedError& error) {
      CHECK(error.exit_code == exit_code);
      messages[static_cast<size_t>(communicator.rank())] = error.what();
      ++thrown;
    }
  });
  CHECK(thrown == workers);
  for (const std::string& message : messages) CHECK(message == messages[0]);
  return messages[0];
}

}  // namespace

TEST_CASE("any number of workers ends in the same bits") {
  for (const bool noise_scale : {false, true}) {
    CAPTURE(noise_scale);
    TrainOptions options = tiny_run();  // updates of 2, 4 and 8 ghost batches
    options.noise_scale = noise_scale;
    check_workers(options, {2, 3, 5, 16});
  }
}

TEST_CASE("workers and the noise scale from pairs of updates of one ghost batch") {
  TrainOptions options = tiny_run();
  options.noise_scale = true;
  options.ghost_batch = 16;
  check_workers(options, {2, 5});
}

TEST_CASE("workers with every schedule, optimizer, statistics and epoch edge") {
  const std::vector<int> numbers = {3};
  for (const Exchange exchange : {Exchange::none, Exchange::hybrid, Exchange::batch}) {
    TrainOptions options = tiny_run();
    options.exchange = exchange;
    check_workers(options, numbers);
  }
  for (const OptimizerKind optimizer : {OptimizerKind::sgd, OptimizerKind::momentum, OptimizerKind::adam}) {
    TrainOptions options = tiny_run();
    options.optimizer = optimizer;
    options.running_statistics = RunningStatistics::mean_of_ghosts;
    check_workers(options, numbers);
  }
  TrainOptions options = tiny_run();
  options.batch = 40;  // of 48 images
  options.epoch_edge = EpochEdge::drop;
  options.max_batch = 40;
  check_workers(options, numbers);
}

TEST_CASE("workers with loaders, micro-batches of several ghost batches, and data in device memory") {
  TrainOptions options = tiny_run();
  options.loader_threads = 2;
  options.micro_batch = 24;
  check_workers(options, {2, 3}, loaded(byte_run()));
}

TEST_CASE("workers whose sums travel in several buckets") {
  for (const bool noise_scale : {false, true}) {
    CAPTURE(noise_scale);
    TrainOptions options = tiny_run();
    options.model = "wrn-10-4";  // 1.2 million sums, in four buckets
    options.epochs = 1;
    options.milestones = {};
    options.noise_scale = noise_scale;
    check_workers(options, {2, 3});
  }
}

TEST_CASE("a run may go on with another number of workers after every update") {
  const Folder folder;
  const TrainOptions options = tiny_run();
  const TrainResult whole = train(options, folder / "whole");
  for (int64_t stop = 0; stop <= whole.counters.updates; ++stop) {
    CAPTURE(stop);
    const std::string name = folder / std::to_string(stop);
    TrainOptions part = options;
    part.max_updates = stop;
    part.resume = true;
    train_on(static_cast<int>(stop % 4) + 1, part, name);
    part.max_updates = -1;
    train_on(static_cast<int>((stop + 2) % 5) + 1, part, name);
    CHECK(digest_of(name) == digest_of(folder / "whole"));
    CHECK(story_of(name) == story_of(folder / "whole"));
  }
}

TEST_CASE("several workers are written into the metrics, one is not") {
  const Folder folder;
  train_on(3, tiny_run(), folder / "three");
  const TrainMetrics three = read_metrics(folder / "three/metrics.jsonl").train.back();
  CHECK(three.workers == 3);
  CHECK(three.exchange_seconds.value() >= 0);
  CHECK(three.waiting_seconds.value() >= 0);
  train(tiny_run(), folder / "one");
  CHECK(!read_metrics(folder / "one/metrics.jsonl").train.back().workers);
}

TEST_CASE("only rank 0 loads the initial weights") {
  const Folder folder;
  train(tiny_run(), folder / "first");
  TrainOptions options = tiny_run();
  options.init = folder / "first";
  train(options, folder / "one");
  run_workers(3, [&](Communicator& communicator) {
    TrainOptions own = options;
    if (communicator.rank() > 0) own.init = folder / "nothing";
    train(own, folder / "three", tiny_data(), nullptr, communicator);
  });
  CHECK(digest_of(folder / "three") == digest_of(folder / "one"));
}

TEST_CASE("a value that is not finite on one worker is explained by it, to all") {
  TrainOptions options = tiny_run();
  options.shuffle = false;
  options.epochs = 1;
  options.milestones = {};
  options.batch = 48;
  const TrainingData data{std::make_shared<TinyData>(48, 21), std::make_shared<TinyData>(20)};
  std::atomic<int> thrown = 0;
  const Folder folder;
  run_workers(3, [&](Communicator& communicator) {
    try {
      train(options, folder / "run", data, nullptr, communicator);
    } catch (const NonFiniteError& error) {
      ++thrown;
      CHECK(std::string(error.what())
                .find("samples 16 to 23 is not finite; the first layer to go wrong is the "
                      "input") != std::string::npos);
    }
  });
  CHECK(thrown == 3);
  CHECK(read_metrics(folder / "run/metrics.jsonl").ends.back().reason == "non-finite");
}

TEST_CASE("a signal stops all workers at the same update") {
  const Folder folder;
  TrainOptions options = tiny_run();
  train(options, folder / "whole");
  std::atomic<int> stopped = 0;
  run_workers(3, [&](Communicator& communicator) {
    class StopsAtTwo final : public Dataset {
     public:
      explicit StopsAtTwo(bool stops) : stops_(stops) {}
      int64_t size() const override { return set_.size(); }
      ImageSize image_size() const override { return set_.image_size(); }
      const std::vector<std::string>& class_names() const override { return set_.class_names(); }
      std::string digest() const override { return set_.digest(); }
      int32_t sample(int64_t index, const SampleKey& key, float* pixels) const override {
        if (stops_ && key.epoch == 1) std::raise(SIGTERM);
        stops_ = stops_ && key.epoch == 0;
        return set_.sample(index, key, pixels);
      }

     private:
      TinyData set_{48};
      mutable bool stops_;
    };
    const TrainingData data{std::make_shared<StopsAtTwo>(communicator.rank() == 1),
                            std::make_shared<TinyData>(20)};
    if (train(options, folder / "run", data, nullptr, communicator).signal == SIGTERM) ++stopped;
  });
  CHECK(stopped == 3);
  options.resume = true;
  train_on(2, options, folder / "run");
  CHECK(digest_of(folder / "run") == digest_of(folder / "whole"));
  CHECK(story_of(folder / "run") == story_of(folder / "whole"));
}

TEST_CASE("workers that would compute something else are named before anything is written") {
  const Folder folder;
  const std::string message = shared_error(3, [&](Communicator& communicator) {
    TrainOptions options = tiny_run();
    if (communicator.rank() == 2) options.seed = 2;
    train(options, folder / "run", tiny_data(), nullptr, communicator);
  });
  CHECK(message.find("rank 2 on ") == 0);
  CHECK(message.find(": the gradient of the first ghost batch has the digest ") != std::string::npos);
  CHECK(!fs::exists(folder / "run/config.toml"));
  train(tiny_run(), folder / "run");
}

TEST_CASE("a roll call names the first fact that differs") {
  run_workers(4, [](Communicator& communicator) { call_roll(communicator, {{"commit", "1"}, {"x", "2"}}); });
  const std::string message = shared_error(4, [](Communicator& communicator) {
    const bool other = communicator.rank() >= 2;
    call_roll(communicator, {{"commit", "1"}, {"training data", other ? "5f2a" : "91c0"}, {"x", "2"}});
  });
  const std::string host = host_name();
  CHECK(message == "rank 2 on " + host + ": training data 5f2a, rank 0 on " + host + ": training data 91c0");
}

TEST_CASE("a run folder that rank 0 cannot use, and a worker without data, end all") {
  const Folder folder;
  train(tiny_run(), folder / "run");
  const std::string used = shared_error(3, [&](Communicator& communicator) {
    train(tiny_run(), folder / "run", tiny_data(), nullptr, communicator);
  });
  CHECK(used.find("holds a run already") != std::string::npos);
  const std::string failed = shared_error(
      3,
      [&](Communicator& communicator) {
        together(communicator, [&] {
          if (communicator.rank() >= 1) throw std::runtime_error(join("no ", communicator.rank()));
        });
      },
      1);
  CHECK(failed == "rank 1 on " + host_name() + ": no 1");
  CHECK(shared_error(2, [](Communicator& communicator) {
          together(communicator, [] { throw std::invalid_argument("all alike"); });
        }) == "all alike");
}

TEST_CASE("a worker that fails alone ends the others") {
  CHECK_THROWS_WITH_AS(run_workers(3,
                                   [](Communicator& communicator) {
                                     if (communicator.rank() == 1) throw std::runtime_error("gone");
                                     int64_t value = 1;
                                     communicator.sum(std::span(&value, 1));
                                   }),
                       "gone", std::runtime_error);
}

TEST_CASE("float sums are for one worker") {
  const Folder folder;
  TrainOptions options = tiny_run();
  options.exact_sum = false;
  CHECK(shared_error(2, [&](Communicator& communicator) {
          train(options, folder / "run", tiny_data(), nullptr, communicator);
        }) == "workers: found 2, expected 1 with --gradient-sum float, whose sums depend on their order");
}

TEST_CASE("replicas are compared; the majority is right, and of two neither") {
  const auto differ = [](int workers, int other) {
    return shared_error(
        workers,
        [&](Communicator& communicator) {
          compare_replicas(communicator, communicator.rank() == other ? "b" : "a", 7);
        },
        75);
  };
  run_workers(3, [](Communicator& communicator) { compare_replicas(communicator, "a", 7); });
  const std::string host = host_name();
  CHECK(differ(3, 1).find("after update 7 the weights of the workers differ: rank 1 on " + host +
                          " disagrees with the others") == 0);
  CHECK(differ(2, 1).find(": rank 0 on " + host + ", rank 1 on " + host + " disagree;") != std::string::npos);
}

TEST_CASE("a bit that flips in one worker's weights is found before it is saved") {
  class Flipping final : public BackendDecorator {
   public:
    using BackendDecorator::BackendDecorator;
    void run(const KernelCall& call) override {
      inner().run(call);
      const auto* step = std::get_if<Momentum>(&call);
      if (step != nullptr && ++steps_ == 4) step->values[3] += real{1};
    }

   private:
    int steps_ = 0;
  };
  const Folder folder;
  TrainOptions options = tiny_run();
  options.checkpoint_every = 3;
  const auto train_flipping = [&](Communicator& communicator) {
    const Device sound = Device::cpu(1);
    const Device flips(std::make_unique<Flipping>(make_cpu_backend(1)));
    train(options, folder / "run", tiny_data(), communicator.rank() == 2 ? &flips : &sound, communicator);
  };
  const std::string message = shared_error(3, train_flipping, 75);
  CHECK(message.find("after update 5 the weights of the workers differ: rank 2 on ") == 0);
  options.resume = true;
  train(options, folder / "run");
  train(tiny_run(), folder / "whole");
  CHECK(digest_of(folder / "run") == digest_of(folder / "whole"));
}

TEST_CASE("a worker that computes wrongly is found by its neighbours") {
  class Wrong final : public BackendDecorator {
   public:
    using BackendDecorator::BackendDecorator;
    void run(const KernelCall& call) override {
      inner().run(call);
      const auto* add = std::get_if<AddToSums>(&call);
      if (add != nullptr && ++calls_ > 3) ++add->sums[add->n / 2];
    }

   private:
    int calls_ = 0;
  };
  const Folder folder;
  TrainOptions options = tiny_run();
  options.verify_every = 2;
  train(options, folder / "one");
  train_on(3, options, folder / "sound");
  CHECK(digest_of(folder / "sound") == digest_of(folder / "one"));
  CHECK(story_of(folder / "sound") == story_of(folder / "one"));
  const auto train_with_wrong = [&](int wrong) {
    return [&, wrong](Communicator& communicator) {
      const Device sound = Device::cpu(1);
      const Device other(std::make_unique<Wrong>(make_cpu_backend(1)));
      train(options, folder / join(communicator.size(), wrong), tiny_data(),
            communicator.rank() == wrong ? &other : &sound, communicator);
    };
  };
  const std::string host = host_name();
  const std::string three = shared_error(3, train_with_wrong(1), 75);
  CHECK(three.find("compute different gradients of the same samples: rank 1 on " + host + ";") !=
        std::string::npos);
  const std::string two = shared_error(2, train_with_wrong(1), 75);
  CHECK(two.find(": rank 0 on " + host + ", rank 1 on " + host + ";") != std::string::npos);
}

TEST_CASE("with --balance on a slow worker takes less of each update, and the bits stay") {
  class Slow final : public BackendDecorator {
   public:
    Slow(int milliseconds, std::atomic<int64_t>& ghosts)
        : BackendDecorator(make_cpu_backend(1)), milliseconds_(milliseconds), ghosts_(ghosts) {}
    void run(const KernelCall& call) override {
      inner().run(call);
      if (!std::holds_alternative<CountSamples>(call)) return;
      ++ghosts_;
      std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds_));
    }

   private:
    int milliseconds_;
    std::atomic<int64_t>& ghosts_;
  };
  const Folder folder;
  TrainOptions options = tiny_run();
  options.batch = 48;
  options.exchange = Exchange::none;
  options.epochs = 8;  // updates of 6 ghost batches
  options.micro_batch = 8;
  train(options, folder / "one");
  options.balance = true;
  std::array<std::atomic<int64_t>, 3> ghosts{};
  run_workers(3, [&](Communicator& communicator) {
    const int rank = communicator.rank();
    const Device device(std::make_unique<Slow>(rank == 1 ? 300 : 0, ghosts[static_cast<size_t>(rank)]));
    train(options, folder / "three", tiny_data(), &device, communicator);
  });
  CHECK(digest_of(folder / "three") == digest_of(folder / "one"));
  CHECK(story_of(folder / "three") == story_of(folder / "one"));
  CHECK(ghosts[1] < ghosts[0]);
  CHECK(ghosts[1] < ghosts[2]);
}

}  // namespace crescendo

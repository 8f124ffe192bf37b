// Runs on several workers, each with a stand-in for a GPU of its own: sums travel beside the kernels, and the bits
// are those of one worker on the processor.
#include <doctest/doctest.h>

#include <numeric>

#include "kernels/cpu/backend.h"
#include "streams/stream_backend.h"
#include "support/thread_communicator.h"
#include "support/tiny_run.h"

namespace crescendo::test {
namespace {

// Opens a device of its own for a worker, or one that all share.
struct Streamed {
  explicit Streamed(int number)
      : backend(new StreamBackend(make_cpu_backend(1), number)), device(std::unique_ptr<Backend>(backend)) {}
  StreamBackend* backend;
  Device device;
};

// Counts of a run: sums by NCCL, those of each worker counted, and cuts in captured sequences of rank 0.
struct Done {
  int64_t sums, cuts;
};

Done train_on(int workers, const TrainOptions& options, const std::string& folder,
              bool shared_device = false) {
  const int64_t before = nccl_sums();
  int64_t cuts = 0;
  run_workers(workers, [&](Communicator& communicator) {
    const Streamed streamed(shared_device ? 0 : communicator.rank());
    train(options, folder, tiny_data(), &streamed.device, communicator);
    if (communicator.rank() > 0) return;
    CHECK(streamed.backend->launches > 0);
    cuts = streamed.backend->cuts;
  });
  return {.sums = nccl_sums() - before, .cuts = cuts};
}

}  // namespace

TEST_CASE("workers with devices of their own end in the bits of one, replayed or not") {
  for (const bool noise_scale : {false, true})
    for (const int64_t micro_batch : {8, 16}) {
      CAPTURE(noise_scale);
      CAPTURE(micro_batch);
      const Folder folder;
      TrainOptions options = tiny_run();
      options.noise_scale = noise_scale;
      options.micro_batch = micro_batch;
      options.epochs = 8;  // updates of 2, 4 and 8 ghost batches
      train(options, folder / "one");
      for (const int workers : {2, 3, 5}) {
        CAPTURE(workers);
        const std::string name = folder / std::to_string(workers);
        CHECK(train_on(workers, options, name).sums > 0);
        CHECK(digest_of(name) == digest_of(folder / "one"));
        CHECK(story_of(name) == story_of(folder / "one"));
      }
    }
}

TEST_CASE("buckets of sums start from between the parts of a replayed backward pass") {
  const Folder folder;
  TrainOptions options = tiny_run();
  options.model = "wrn-10-4";  // 1.2 million sums, in four buckets
  options.epochs = 2;
  options.milestones = {};
  options.checkpoint_every = 0;
  train(options, folder / "one");
  constexpr int64_t kBuckets = 4, kUpdates = 6, kWorkers = 2;
  const Done done = train_on(kWorkers, options, folder / "two");
  CHECK(done.sums == kBuckets * kUpdates * kWorkers);
  CHECK(done.cuts == kBuckets - 1);  // the last one follows the backward pass
  CHECK(digest_of(folder / "two") == digest_of(folder / "one"));
}

TEST_CASE("workers that share a device exchange through host memory") {
  const Folder folder;
  TrainOptions options = tiny_run();
  options.epochs = 6;
  train(options, folder / "one");
  CHECK(train_on(3, options, folder / "three", true).sums == 0);
  CHECK(digest_of(folder / "three") == digest_of(folder / "one"));
}

TEST_CASE("sums travel in order, while later kernels run") {
  constexpr int kWorkers = 3, kSums = 1000, kRounds = 20;
  run_workers(kWorkers, [&](Communicator& communicator) {
    const Streamed streamed(communicator.rank());
    Backend& backend = streamed.device.backend();
    const auto exchange = backend.open_exchange(communicator);
    CHECK(exchange->overlaps());
    CHECK(exchange->library() == "NCCL 2.28.3");
    std::vector<int64_t> first(kSums), second(kSums), expected(kSums);
    cudaStream_t const stream = streamed.backend->stream();
    for (int round = 0; round < kRounds; ++round) {
      const int64_t start = round * kSums + communicator.rank();
      stream->add([&, start] { std::iota(first.begin(), first.end(), start); });
      exchange->start(first.data(), kSums);
      stream->add([&, start] { std::iota(second.begin(), second.end(), -start); });
      exchange->start(second.data(), kSums);
      exchange->finish();
      bool right = true;
      stream->add([&, round] {
        for (int64_t i = 0; i < kSums; ++i) {
          const int64_t ranks = kWorkers * (kWorkers - 1) / 2, base = int64_t{kWorkers} * round * kSums;
          right = right && first[static_cast<size_t>(i)] == base + ranks + kWorkers * i &&
                  second[static_cast<size_t>(i)] == kWorkers * i - base - ranks;
        }
      });
      stream->wait();
      CHECK(right);
    }
    CHECK(exchange->waited() > 0);
    CHECK(exchange->waited() == 0);
  });
}

TEST_CASE("a network that fails under a sum ends the run with one line") {
  const Folder folder;
  std::string message;
  try {
    run_workers(2, [&](Communicator& communicator) {
      const Streamed streamed(communicator.rank());
      break_nccl(1);
      train(tiny_run(), folder / "run", tiny_data(), &streamed.device, communicator);
    });
  } catch (const std::runtime_error& error) {
    message = error.what();
  }
  break_nccl(-1);
  CHECK(message == "NCCL: sum: remote process exited or there was a network error");
}

}  // namespace crescendo::test

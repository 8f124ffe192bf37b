// Several workers on a GPU: sequences can be captured in parts, NCCL adds up, and workers that share the GPU end in
// equal bits.
#include <doctest/doctest.h>

#include <numeric>

#include "build_info.h"
#include "kernels/communicator.h"
#include "support/thread_communicator.h"
#include "support/tiny_run.h"

namespace crescendo::test {
namespace {

std::vector<int64_t> download(const Tensor& sums) {
  std::vector<int64_t> values(static_cast<size_t>(sums.size()));
  sums.device().backend().download(sums.as_sums(), values.data(), values.size() * sizeof(int64_t));
  return values;
}

}  // namespace

TEST_CASE("workers: the sum over one worker is its own, and the kernels wait for it") {
  constexpr int64_t kSums = 1 << 20;
  const Device device = Device::cuda(0);
  Solo solo;
  const auto exchange = device.backend().open_exchange(solo);
  const bool with_nccl = std::string(build_info::kLibraries).find("NCCL") != std::string::npos;
  CHECK(exchange->overlaps() == with_nccl);
  if (with_nccl) CHECK(exchange->library().find("NCCL 2.") == 0);
  const Tensor sums = Tensor::sums(device, {kSums});
  std::vector<int64_t> expected(kSums);
  std::iota(expected.begin(), expected.end(), int64_t{-kSums / 2});
  device.backend().upload(expected.data(), sums.as_sums(), expected.size() * sizeof(int64_t));
  exchange->start(sums.as_sums(), kSums / 2);
  exchange->start(sums.as_sums() + kSums / 2, kSums / 2);
  exchange->finish();
  CHECK(download(sums) == expected);
  exchange->check();
  CHECK(exchange->waited() >= 0);
}

TEST_CASE("workers: a captured sequence calls the host between its parts") {
  const Device device = Device::cuda(0);
  const Tensor values = Tensor::reals(device, {64});
  const auto add = [&](double weight) {
    device.run(
        Blend{.n = 64, .keep = 2, .weight = weight, .from = values.as_reals(), .to = values.as_reals()});
  };
  device.run(Fill{.n = 64, .value = 1, .to = values.as_reals()});
  int calls = 0;
  const auto graph = device.backend().capture([&] {
    add(0);  // x -> 2 x
    device.backend().call_host([&] { ++calls; });
    add(1);  // x -> 3 x
  });
  REQUIRE(graph != nullptr);
  CHECK(calls == 0);
  graph->launch();
  graph->launch();
  CHECK(calls == 2);
  CHECK(values.to_host() == std::vector<real>(64, 36));
}

TEST_CASE("workers: those that share the GPU end in the bits of one") {
  const Folder folder;
  TrainOptions options = tiny_run();
  options.device = "cuda";
  options.epochs = 6;
  options.noise_scale = true;
  const Device device = Device::cuda(0);
  train(options, folder / "one", byte_run(), &device);
  run_workers(3, [&](Communicator& communicator) {
    const Device shared = Device::cuda(0);
    train(options, folder / "three", byte_run(), &shared, communicator);
  });
  CHECK(digest_of(folder / "three") == digest_of(folder / "one"));
  CHECK(story_of(folder / "three") == story_of(folder / "one"));
}

}  // namespace crescendo::test

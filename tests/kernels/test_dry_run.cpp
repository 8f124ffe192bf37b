// The dry run counts multiply-adds and touches no memory.
#include <doctest/doctest.h>

#include <vector>

#include "kernels/dry_run.h"
#include "support/tested_backend.h"

using namespace crescendo;

TEST_CASE("a dry run counts multiply-adds, forward and in all") {
  DryRunBackend backend(test::tested_backend(1));
  const Conv2dGeometry conv{.n = 2,
                            .h = 8,
                            .w = 8,
                            .c = 3,
                            .p = 8,
                            .q = 8,
                            .k = 5,
                            .r = 3,
                            .s = 3,
                            .stride_h = 1,
                            .stride_w = 1,
                            .pad_top = 1,
                            .pad_left = 1,
                            .ghost = 2};
  const LinearGeometry linear{.n = 2, .in = 7, .out = 4, .ghost = 2};
  const int64_t conv_count = 2 * 8 * 8 * 5 * 9 * 3, linear_count = 2 * 7 * 4;
  backend.run(Conv2dForward{.geometry = conv, .x = nullptr, .weight = {}, .y = nullptr});
  backend.run(
      LinearForward{.geometry = linear, .x = nullptr, .weight = nullptr, .bias = nullptr, .y = nullptr});
  CHECK(backend.forward_multiply_adds() == conv_count + linear_count);
  CHECK(backend.multiply_adds() == conv_count + linear_count);
  backend.run(Conv2dBackwardData{
      .geometry = conv, .dy = nullptr, .weight = nullptr, .dx = nullptr, .write = Write::add});
  backend.run(Conv2dBackwardWeight{
      .geometry = conv, .x = nullptr, .dy = nullptr, .dweight = nullptr, .write = Write::add});
  backend.run(LinearBackwardData{
      .geometry = linear, .dy = nullptr, .weight = nullptr, .dx = nullptr, .write = Write::add});
  backend.run(LinearBackwardWeight{
      .geometry = linear, .x = nullptr, .dy = nullptr, .dweight = nullptr, .write = Write::add});
  CHECK(backend.forward_multiply_adds() == conv_count + linear_count);
  CHECK(backend.multiply_adds() == 3 * (conv_count + linear_count));
}

TEST_CASE("a dry run hands out distinct aligned addresses without memory behind them") {
  DryRunBackend backend(test::tested_backend(1));
  const size_t huge = size_t{1} << 50;  // no machine has this
  auto* first = static_cast<std::byte*>(backend.allocate(huge));
  auto* empty = static_cast<std::byte*>(backend.allocate(0));
  auto* last = static_cast<std::byte*>(backend.allocate(1));
  CHECK(first != nullptr);
  CHECK(reinterpret_cast<uintptr_t>(first) % 64 == 0);
  CHECK(reinterpret_cast<uintptr_t>(empty) - reinterpret_cast<uintptr_t>(first) >= huge);
  CHECK(empty != last);
  backend.upload(nullptr, first, huge);
  std::vector<real> host(3, 1);
  backend.download(first, host.data(), sizeof(real) * host.size());
  CHECK(host == std::vector<real>(3, 0));
  CHECK_NOTHROW(backend.reserve_workspace(huge));
}

TEST_CASE("a dry run asks the real backend for its sizes") {
  const auto real_backend = test::tested_backend(3);
  DryRunBackend backend(test::tested_backend(3));
  const GhostMoments moments{
      .geometry = {.n = 4, .pixels = 9, .c = 5, .ghost = 2, .epsilon = 0, .relu = false},
      .x = nullptr,
      .mean = nullptr,
      .variance = nullptr};
  CHECK(backend.capabilities().activation_bytes == real_backend->capabilities().activation_bytes);
  CHECK(backend.workspace(moments) == real_backend->workspace(moments));
  CHECK(backend.workspace(moments) > 0);
}

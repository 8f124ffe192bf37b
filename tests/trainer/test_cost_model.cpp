// The predicted time of an update on many workers: its limits, and published runs.
#include "trainer/plan/cost_model.h"

#include <doctest/doctest.h>

#include <cmath>

namespace crescendo {

TEST_CASE("one worker takes its ghost batches one after another") {
  const CostModel cost{
      .per_ghost = 0.25, .per_update = 0.5, .spread = 0.1, .latency = 1, .bandwidth = 1, .bytes = 100};
  for (const int64_t ghosts : {1, 2, 7, 1000}) {
    CHECK(update_seconds(cost, ghosts, 1) == 0.5 + 0.25 * static_cast<double>(ghosts));
    CHECK(efficiency(cost, ghosts, 1) == 1);
  }
}

TEST_CASE("workers share ghost batches, wait for the slowest, and exchange sums") {
  const CostModel shared{.per_ghost = 2, .per_update = 1};
  CHECK(update_seconds(shared, 8, 3) == 1 + 3 * 2);
  CHECK(update_seconds(shared, 8, 100) == 1 + 2);
  CHECK(efficiency(shared, 8, 3) == doctest::Approx(17.0 / (3 * 7)));
  const CostModel spread{.per_ghost = 2, .spread = 0.1};
  CHECK(update_seconds(spread, 4, 4) == doctest::Approx(2 * (1 + 0.1 * std::sqrt(2 * std::log(4.0)))));
  CostModel exchange{.latency = 0.01, .bandwidth = 1e6, .bytes = 3'000'000};
  CHECK(exchange_seconds(exchange, 1) == 0);
  CHECK(exchange_seconds(exchange, 4) == doctest::Approx(4 * 0.01 + 1.5 * 3));
  CHECK(update_seconds(exchange, 4, 4) == doctest::Approx(4.54));
  exchange.hidden = 1;
  CHECK(update_seconds(exchange, 4, 4) == doctest::Approx(3.54));
  exchange.hidden = 10;
  CHECK(update_seconds(exchange, 4, 4) == 0);
}

TEST_CASE("useful workers are all needed, and well used") {
  const CostModel cost{.per_ghost = 1};
  CHECK(useful_workers(cost, 1, 256) == 1);
  CHECK(useful_workers(cost, 5, 256) == 5);
  CHECK(useful_workers(cost, 5, 4) == 3);   // 4 would take two rounds as well
  CHECK(useful_workers(cost, 9, 5) == 5);   // two rounds, efficiency 0.9
  CHECK(useful_workers(cost, 11, 9) == 6);  // 7 to 10 take two rounds as well
  CHECK(useful_workers(cost, 256, 256) == 256);
  const CostModel serial{.per_ghost = 1, .per_update = 1};
  CHECK(useful_workers(serial, 4, 256) == 2);    // two workers: 5 / (2 * 3) = 0.83; four: 5 / (4 * 2)
  CHECK(useful_workers(serial, 40, 256) == 10);  // 41 / (10 * 5) = 0.82; eleven need four rounds: 41 / 44
  for (int64_t ghosts = 1; ghosts < 60; ++ghosts)
    for (int64_t most = 1; most < 70; ++most) {
      const int64_t found = useful_workers(serial, ghosts, most);
      CHECK(found <= most);
      CHECK(efficiency(serial, ghosts, found) >= 0.8);
      for (int64_t more = found + 1; more <= std::min(most, ghosts); ++more) {
        const bool needed = (ghosts + more - 1) / more < (ghosts + more - 2) / (more - 1);
        CHECK((!needed || efficiency(serial, ghosts, more) < 0.8));
      }
    }
}

TEST_CASE("two update times give the time of a ghost batch and of the rest, neither negative") {
  CostModel cost = fit_cost({.ghosts = 1, .seconds = 3}, {.ghosts = 4, .seconds = 9});
  CHECK(cost.per_ghost == 2);
  CHECK(cost.per_update == 1);
  cost = fit_cost({.ghosts = 400, .seconds = 9}, {.ghosts = 50, .seconds = 2});
  CHECK(cost.per_ghost == doctest::Approx(0.02));
  CHECK(cost.per_update == doctest::Approx(1));
  cost = fit_cost({.ghosts = 1, .seconds = 1}, {.ghosts = 3, .seconds = 4});  // the line begins at -0.5
  CHECK(cost.per_ghost == doctest::Approx(1.3));                              // (1 * 1 + 3 * 4) / (1 + 9)
  CHECK(cost.per_update == 0);
  cost = fit_cost({.ghosts = 1, .seconds = 2}, {.ghosts = 2, .seconds = 1.75});  // the line falls
  CHECK(cost.per_ghost == doctest::Approx(1.1));
  CHECK(cost.per_update == 0);
}

// MLPerf Training 3.0, ResNet, NVIDIA H100: GPUs, global batch, epochs, median seconds of the successful runs
// (github.com/mlcommons/training_results_v3.0: NVIDIA/results/dgxh100_ngc23.04_mxnet, dgxh100_n8, n64 and
// n96_ngc23.04_mxnet, and NVIDIA_CoreWeave/results/coreweave_hgxh100_n448_ngc23.04_mxnet). Two numbers fitted
// to them, and a spread, predict all five, although the machine grows 448 times.
TEST_CASE("published runs on 8 to 3584 GPUs take as long as predicted") {
  struct Run {
    int64_t gpus, batch, epochs;
    double seconds;
  };
  const CostModel cost{.per_ghost = 0.130e-3, .per_update = 3.7e-3, .spread = 0.03};  // of one image
  for (const Run& run : {Run{8, 3200, 35, 815.5}, Run{64, 3200, 35, 159.8}, Run{512, 20480, 50, 29.85},
                         Run{768, 32256, 56, 22.16}, Run{3584, 57344, 77, 10.98}}) {
    CAPTURE(run.gpus);
    constexpr int64_t kImages = 1281167;
    const int64_t updates = run.epochs * ((kImages + run.batch - 1) / run.batch);
    const double predicted = static_cast<double>(updates) * update_seconds(cost, run.batch, run.gpus);
    CHECK(predicted == doctest::Approx(run.seconds).epsilon(0.07));
  }
}

}  // namespace crescendo

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

namespace {

// Measured: MLPerf Training 3.0, ResNet, NVIDIA H100: GPUs, global batch, epochs, median seconds of the
// successful runs (github.com/mlcommons/training_results_v3.0: NVIDIA/results/dgxh100_ngc23.04_mxnet,
// dgxh100_n8, n64 and n96_ngc23.04_mxnet, and NVIDIA_CoreWeave/results/coreweave_hgxh100_n448_ngc23.04_mxnet).
struct PublishedRun {
  int64_t gpus, batch, epochs;
  double seconds;

  double measured() const {  // seconds of an update
    constexpr int64_t kImages = 1281167;
    return seconds / static_cast<double>(epochs * ((kImages + batch - 1) / batch));
  }
};
constexpr PublishedRun kFew[] = {{8, 3200, 35, 815.5}, {64, 3200, 35, 159.8}};
constexpr PublishedRun kMany[] = {{512, 20480, 50, 29.85}, {768, 32256, 56, 22.16}, {3584, 57344, 77, 10.98}};

// Returns how much longer than measured the predicted time is, as a fraction. A ghost batch is one image.
double error_of(const CostModel& cost, const PublishedRun& run) {
  return update_seconds(cost, run.batch, run.gpus) / run.measured() - 1;
}

}  // namespace

// Fitted to all five: f, g and the spread. The machine grows 448 times.
TEST_CASE("the formula describes published runs on 8 to 3584 GPUs within 6 %") {
  const CostModel cost{.per_ghost = 0.130e-3, .per_update = 3.7e-3, .spread = 0.03};
  const double errors[] = {0.013, -0.055, -0.003, -0.014, -0.027};  // docs/derivations/workers.md
  for (size_t i = 0; i < 5; ++i) {
    const PublishedRun& run = i < 2 ? kFew[i] : kMany[i - 2];
    CAPTURE(run.gpus);
    CHECK(std::abs(error_of(cost, run) - errors[i]) < 0.0005);
  }
}

// Fitted: f and g, to the runs on 8 and 64 GPUs alone. Predicted: the runs on 512 to 3584 GPUs, from their batches
// and numbers of GPUs. Assumed: the spread, which two runs cannot give too. All predictions are too slow.
TEST_CASE("published runs on 8 and 64 GPUs predict those on 512 to 3584 within 11 %") {
  for (const double spread : {0.0, 0.03, 0.05}) {
    UpdateTime times[2];
    for (size_t i = 0; i < 2; ++i) {
      const double slowest = update_seconds({.per_ghost = 1, .spread = spread}, kFew[i].batch, kFew[i].gpus);
      times[i] = {.ghosts = slowest, .seconds = kFew[i].measured()};
    }
    CostModel cost = fit_cost(times[0], times[1]);
    cost.spread = spread;
    CAPTURE(spread);
    for (const PublishedRun& run : kFew) CHECK(std::abs(error_of(cost, run)) < 1e-12);
    for (const PublishedRun& run : kMany) {
      CAPTURE(run.gpus);
      CHECK(error_of(cost, run) > 0.04);
      CHECK(error_of(cost, run) < 0.11);
    }
  }
}

}  // namespace crescendo

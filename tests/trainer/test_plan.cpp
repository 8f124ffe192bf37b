// Plans: segments, savings, times and warnings, as numbers, as a table and as JSON.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "trainer/plan/plan_text.h"

using namespace crescendo;

namespace {

TrainOptions increasing_batch() {
  TrainOptions options;
  options.data = "cifar10";
  options.milestones = {60, 120, 160};
  options.exchange = Exchange::batch;
  options.max_batch = 5120;
  return options;
}

bool warns(const Plan& plan, const std::string& text) {
  for (const std::string& warning : plan.warnings)
    if (warning.find(text) != std::string::npos) return true;
  return false;
}

}  // namespace

TEST_CASE("a plan has the schedule's segments, at its milestones") {
  const Plan plan = make_plan(increasing_batch());
  REQUIRE(plan.segments.size() == 4);
  const double epochs[] = {0, 60, 120, 160, 200};
  const int64_t batches[] = {128, 640, 3200, 5120};
  const double rates[] = {0.1, 0.1, 0.1, 0.032};
  int64_t updates = 0;
  for (size_t i = 0; i < 4; ++i) {
    const PlanSegment& segment = plan.segments[i];
    CHECK(segment.first_epoch == epochs[i]);
    CHECK(segment.epochs == epochs[i + 1] - epochs[i]);
    CHECK(segment.batch == batches[i]);
    CHECK(segment.learning_rate == rates[i]);
    CHECK(segment.last_learning_rate == rates[i]);
    CHECK(segment.momentum == 0.9);
    CHECK(segment.noise_scale ==
          doctest::Approx(rates[i] * 10 * (50000.0 / static_cast<double>(batches[i]) - 1)));
    CHECK(std::abs(static_cast<double>(segment.updates) -
                   segment.epochs * 50000 / static_cast<double>(batches[i])) <= 1);
    updates += segment.updates;
  }
  CHECK(plan.updates == 29141);
  CHECK(updates == 29141);
  CHECK(plan.decaying_updates == 78125);
}

TEST_CASE("smooth schedules and warm-up have one segment a batch, with the range of learning rates") {
  TrainOptions options;
  options.data = "cifar10";
  options.epochs = 10;
  options.schedule = BaseSchedule::cosine;
  options.warmup_epochs = 2;
  Plan plan = make_plan(options);
  REQUIRE(plan.segments.size() == 2);
  CHECK(plan.segments[0].last_learning_rate == doctest::Approx(0.1).epsilon(0.01));
  CHECK(plan.segments[0].first_epoch == 0);
  CHECK(plan.segments[1].learning_rate == doctest::Approx(0.1).epsilon(1e-4));
  CHECK(plan.segments[1].last_learning_rate < 1e-6);
  CHECK(plan.segments[1].first_epoch == doctest::Approx(2).epsilon(0.01));
  options.exchange = Exchange::batch;
  options.max_batch = 1280;
  plan = make_plan(options);
  CHECK(plan.segments.size() == 11);  // warm-up, and 1 to 10 ghost batches
  CHECK(plan.updates < plan.decaying_updates);
}

TEST_CASE("train_images is the size to plan for, otherwise that of the data set as published") {
  TrainOptions options;
  CHECK(make_plan(options).train_images == 20000);
  options.data = "cifar100";
  CHECK(make_plan(options).train_images == 50000);
  options.train_images = 1281167;
  CHECK(make_plan(options).train_images == 1281167);
}

TEST_CASE("plans warn of what cannot work") {
  TrainOptions options = increasing_batch();
  CHECK(warns(make_plan(options), "batch 5120 is more than a tenth of the 50000 training images"));
  options.max_batch = 3200;
  CHECK(make_plan(options).warnings.empty());
  options.milestones = {60, 120, 120.001};
  CHECK(warns(make_plan(options), "no update between epochs 120 and 120.001"));
  options.milestones = {0.0001, 60};
  CHECK(warns(make_plan(options), "no update before epoch 0.0001"));
  options.milestones = {};
  CHECK(warns(make_plan(options), "the batch never grows"));
  options = increasing_batch();
  options.schedule = BaseSchedule::cosine;
  CHECK(warns(make_plan(options), "only --schedule step uses them"));
  options = increasing_batch();
  options.exchange = Exchange::none;
  CHECK(warns(make_plan(options), "the batch does not grow"));
  options = TrainOptions();
  options.exact_sum = true;
  options.epsilon = 1e-12;
  CHECK(make_plan(options).warnings.empty());
  options.optimizer = OptimizerKind::adam;
  CHECK(warns(make_plan(options), "epsilon 1e-12"));
  options.epsilon = 1e-11;
  CHECK(make_plan(options).warnings.empty());
  options = TrainOptions();
  options.epochs = 0.001;
  CHECK(warns(make_plan(options), "no update: more than half of the first batch of 128"));
}

TEST_CASE("each segment has as many workers as it can use") {
  const Plan plan = make_plan(increasing_batch());  // 1, 5, 25 and 40 ghost batches
  const WorkersPlan workers =
      plan_workers(plan, {.most = 16, .cost = {.per_ghost = 2, .per_update = 0}, .measured = true});
  const int64_t expected[] = {1, 5, 13, 14};
  const int64_t rounds[] = {1, 1, 2, 3};
  double seconds = 0, worker_seconds = 0, one = 0;
  REQUIRE(workers.segments.size() == 4);
  for (size_t i = 0; i < 4; ++i) {
    const auto updates = static_cast<double>(plan.segments[i].updates);
    const int64_t ghosts = plan.segments[i].batch / 128;
    CHECK(workers.segments[i].workers == expected[i]);
    CHECK(workers.segments[i].seconds == updates * 2 * static_cast<double>(rounds[i]));
    CHECK(workers.segments[i].efficiency ==
          doctest::Approx(static_cast<double>(ghosts) / static_cast<double>(expected[i] * rounds[i])));
    seconds += workers.segments[i].seconds;
    worker_seconds += workers.segments[i].seconds * static_cast<double>(expected[i]);
    one += updates * 2 * static_cast<double>(ghosts);
  }
  CHECK(workers.growing.seconds == doctest::Approx(seconds));
  CHECK(workers.growing.worker_seconds == doctest::Approx(worker_seconds));
  CHECK(workers.one.seconds == doctest::Approx(one));
  CHECK(workers.most.worker_seconds == doctest::Approx(16 * workers.most.seconds));

  const std::vector<Stage> all = stages(plan, workers);
  REQUIRE(all.size() == 4);
  CHECK(all[0].workers == 1);
  CHECK(all[0].last_update == plan.segments[0].updates);
  CHECK(all[2].last_update == plan.updates - plan.segments[3].updates);
  CHECK(all[3].last_update == -1);
  const WorkersPlan few = plan_workers(plan, {.most = 5});
  const std::vector<Stage> two = stages(plan, few);  // one worker, then five to the end
  REQUIRE(two.size() == 2);
  CHECK(two[1].workers == 5);
  CHECK(two[1].last_update == -1);
}

TEST_CASE("the script for Slurm has a job for each stage, with the run's own flags") {
  TrainOptions options = increasing_batch();
  options.data_dir = "a b";
  options.run_dir = "runs/x";
  const std::string script =
      sbatch_script({{.workers = 1, .last_update = 100, .seconds = 7200}, {.workers = 5}}, options, true);
  CHECK(script.find("\nstage 1 100 0-03:02:00\nstage 5 all ") != std::string::npos);
  CHECK(script.find(" --exchange batch ") != std::string::npos);
  CHECK(script.find(" --data-dir 'a b' ") != std::string::npos);
  CHECK(script.find("\nrun_dir=runs/x\n") != std::string::npos);
  CHECK(script.find("--seed") == std::string::npos);
}

TEST_CASE("the table has a row a segment and the saving") {
  const Plan plan = make_plan(increasing_batch());
  const std::string text = plan_text(plan, {});
  CHECK(text.find("29141 updates, 2.7 times fewer than the 78125 of the decaying schedule") !=
        std::string::npos);
  CHECK(text.find("160 to 200") != std::string::npos);
  CHECK(text.find("0.032") != std::string::npos);
  CHECK(text.find("warning: ") != std::string::npos);
  CHECK(text.find("worker") == std::string::npos);
  const Workforce force{.most = 8, .cost = {.per_ghost = 0.5}, .measured = true};
  const std::string timed = plan_text(plan, {.memory = {}, .workers = force});
  CHECK(timed.find("as the batch grows, 8 at most: 2.4 times as fast as one, 4:31:30 and ") !=
        std::string::npos);
  CHECK(timed.find("warning: 23437 of 29141 updates are one ghost batch, which") != std::string::npos);
  const std::string untimed = plan_text(plan, {.memory = {}, .workers = Workforce{.most = 8}});
  CHECK(untimed.find("2.4 times as fast as one\ntimes need --seconds-per-ghost") != std::string::npos);
}

TEST_CASE("with workers, segments that differ only in the learning rate have one row and one job") {
  TrainOptions decaying = increasing_batch();
  decaying.exchange = Exchange::none;
  decaying.max_batch = 0;
  TrainOptions warm_cosine = decaying;
  warm_cosine.milestones = {};
  warm_cosine.schedule = BaseSchedule::cosine;
  warm_cosine.warmup_epochs = 5;
  TrainOptions capped = increasing_batch();  // the batch grows once
  capped.max_batch = 640;
  capped.warmup_epochs = 5;
  struct Case {
    TrainOptions options;
    std::vector<std::string> rows;  // epochs, batch, learning rate
  };
  for (const Case& each :
       {Case{decaying, {"0 to 200    128  0.1 to 0.0008 "}},
        Case{warm_cosine, {"0 to 200    128  5.12e-05 to 0.1 to "}},
        Case{capped, {" 0 to 60    128  5.12e-05 to 0.1 ", "60 to 200    640     0.1 to 0.004 "}}}) {
    const Plan plan = make_plan(each.options);
    CHECK(plan.segments.size() > each.rows.size());
    const Workforce force{.most = 16, .cost = {.per_ghost = 0.5}, .measured = true};
    const WorkersPlan workers = plan_workers(plan, force);
    const std::string text = plan_text(plan, {.memory = {}, .workers = force});
    CAPTURE(text);
    const std::string table = text.substr(0, text.find("\n\n") + 1);
    CHECK(std::count(table.begin(), table.end(), '\n') == 1 + static_cast<int64_t>(each.rows.size()));
    for (const std::string& row : each.rows) CHECK(table.find(row) != std::string::npos);
    CHECK(stages(plan, workers).size() == each.rows.size());
    const nlohmann::json json = nlohmann::json::parse(plan_json(plan, {.memory = {}, .workers = force}));
    CHECK(json.at("segments").size() == plan.segments.size());
  }
}

TEST_CASE("a long table leaves its middle out and says so") {
  TrainOptions options = increasing_batch();
  options.schedule = BaseSchedule::linear;
  options.milestones = {};
  const Plan plan = make_plan(options);
  REQUIRE(plan.segments.size() > 24);
  const std::string text = plan_text(plan, {});
  CHECK(text.find("more rows are left out") != std::string::npos);
  CHECK(std::count(text.begin(), text.end(), '\n') < 32);
}

TEST_CASE("JSON has every segment and further facts") {
  const Plan plan = make_plan(increasing_batch());
  const nlohmann::json json = nlohmann::json::parse(
      plan_json(plan, {.memory = TrainingMemory{.peak_bytes = 5, .parameter_bytes = 2, .micro_batch = 128},
                       .workers = Workforce{.most = 40, .cost = {.per_ghost = 0.1}, .measured = true}}));
  CHECK(json.at("updates") == 29141);
  CHECK(json.at("decaying_updates") == 78125);
  CHECK(json.at("memory_bytes") == 5);
  CHECK(json.at("workers").at("one").at("time") == doctest::Approx(0.1 * 78125).epsilon(0.001));
  CHECK(json.at("workers").at("growing").at("time") == doctest::Approx(0.1 * 29141));
  CHECK(json.at("warnings").size() == 2);
  REQUIRE(json.at("segments").size() == 4);
  const nlohmann::json& last = json.at("segments").at(3);
  CHECK(last.size() == 10);
  CHECK(last.at("workers") == 40);
  CHECK(last.at("efficiency") == 1);
  CHECK(last.at("first_epoch") == 160);
  CHECK(last.at("epochs") == 40);
  CHECK(last.at("batch") == 5120);
  CHECK(last.at("learning_rate") == 0.032);
  CHECK(last.at("momentum") == 0.9);
  CHECK(last.at("noise_scale") == doctest::Approx(0.32 * (50000.0 / 5120 - 1)));
  CHECK(last.at("updates") == plan.segments[3].updates);
}

// Learning rate and batch at each point of a run, and the updates they make.
#include <doctest/doctest.h>

#include <cmath>
#include <numbers>

#include "trainer/schedule/timeline.h"

using namespace crescendo;

namespace {

// The paper's section 5: 200 epochs of CIFAR-10, by five at epochs 60, 120 and 160.
ScheduleOptions cifar(double learning_rate, double momentum, int64_t batch, Exchange exchange,
                      int64_t max_batch) {
  return {.train_images = 50000,
          .epochs = 200,
          .learning_rate = learning_rate,
          .momentum = momentum,
          .weight_decay = 5e-4,
          .batch = batch,
          .ghost_batch = 128,
          .milestones = {60, 120, 160},
          .factor = 5,
          .exchange = exchange,
          .max_batch = max_batch};
}

ScheduleOptions imagenet(double momentum, int64_t batch, int64_t max_batch) {
  return {.train_images = 1281167,
          .epochs = 90,
          .learning_rate = 3,
          .momentum = momentum,
          .batch = batch,
          .ghost_batch = 64,
          .milestones = {30, 60, 80},
          .factor = 10,
          .exchange = Exchange::batch,
          .max_batch = max_batch};
}

ScheduleOptions small(BaseSchedule base) {
  return {.train_images = 1000,
          .epochs = 10,
          .learning_rate = 0.1,
          .momentum = 0.9,
          .batch = 20,
          .ghost_batch = 10,
          .base = base,
          .milestones = {}};
}

std::vector<Update> updates(const ScheduleOptions& options) {
  Timeline timeline(options);
  std::vector<Update> updates;
  for (auto update = timeline.next(0, {}); update; update = timeline.next(update->end(), {}))
    updates.push_back(*update);
  return updates;
}

int64_t count(ScheduleOptions options, EpochEdge edge) {
  options.epoch_edge = edge;
  return static_cast<int64_t>(updates(options).size());
}

}  // namespace

TEST_CASE("the four schedules of section 5.2 have the paper's numbers of updates") {
  const ScheduleOptions original = cifar(0.1, 0.9, 128, Exchange::none, 0);
  const ScheduleOptions increasing = cifar(0.1, 0.9, 128, Exchange::batch, 5120);
  const ScheduleOptions rate = cifar(0.5, 0.9, 640, Exchange::batch, 5120);
  const ScheduleOptions momentum = cifar(0.5, 0.98, 3200, Exchange::batch, 5120);
  CHECK(count(original, EpochEdge::straddle) == 78125);
  CHECK(count(increasing, EpochEdge::straddle) == 29141);
  CHECK(count(rate, EpochEdge::straddle) == 6406);
  CHECK(count(momentum, EpochEdge::straddle) == 2305);
  CHECK(count(original, EpochEdge::drop) == 78000);
  CHECK(count(increasing, EpochEdge::drop) == 29040);
  CHECK(count(rate, EpochEdge::drop) == 6300);
  CHECK(count(momentum, EpochEdge::drop) == 2160);
}

TEST_CASE("the ImageNet schedules of sections 5.3 and 5.4 have their numbers of updates") {
  CHECK(count(imagenet(0.9, 8192, 65536), EpochEdge::straddle) == 5865);
  CHECK(count(imagenet(0.95, 16384, 65536), EpochEdge::straddle) == 3519);
  CHECK(count(imagenet(0.95, 16384, 65536), EpochEdge::drop) == 3480);
  CHECK(count(imagenet(0.975, 32768, 65536), EpochEdge::straddle) == 2346);

  ScheduleOptions resnet = imagenet(0.9, 8192, 16384);
  resnet.ghost_batch = 32;
  resnet.learning_rate = 3.2;
  int64_t small = 0, large = 0;
  for (const Update& update : updates(resnet)) ++(update.setting.batch == 8192 ? small : large);
  CHECK(small == 4692);
  CHECK(large == 4692);
}

TEST_CASE("the maximum batch is reached exactly and the rest of the factor comes out of the learning rate") {
  const auto segments = [](const ScheduleOptions& options) {
    const auto schedule = make_schedule(options);
    std::vector<std::pair<int64_t, double>> found;
    for (const double epoch : {30.0, 90.0, 140.0, 180.0}) {
      const Setting setting = schedule->at(samples_in(epoch, options));
      found.emplace_back(setting.batch, setting.learning_rate);
      CHECK(setting.momentum == options.momentum);
      CHECK(setting.weight_decay == options.weight_decay);
    }
    return found;
  };
  using Segments = std::vector<std::pair<int64_t, double>>;
  CHECK(segments(cifar(0.1, 0.9, 128, Exchange::none, 0)) ==
        Segments{{128, 0.1}, {128, 0.02}, {128, 0.004}, {128, 0.0008}});
  CHECK(segments(cifar(0.1, 0.9, 128, Exchange::batch, 0)) ==
        Segments{{128, 0.1}, {640, 0.1}, {3200, 0.1}, {16000, 0.1}});
  CHECK(segments(cifar(0.1, 0.9, 128, Exchange::hybrid, 0)) ==
        Segments{{128, 0.1}, {640, 0.1}, {640, 0.02}, {640, 0.004}});
  CHECK(segments(cifar(0.1, 0.9, 128, Exchange::batch, 5120)) ==
        Segments{{128, 0.1}, {640, 0.1}, {3200, 0.1}, {5120, 0.032}});
  CHECK(segments(cifar(0.5, 0.9, 640, Exchange::batch, 5120)) ==
        Segments{{640, 0.5}, {3200, 0.5}, {5120, 0.16}, {5120, 0.032}});
  CHECK(segments(cifar(0.5, 0.98, 3200, Exchange::batch, 5120)) ==
        Segments{{3200, 0.5}, {5120, 0.16}, {5120, 0.032}, {5120, 0.0064}});
}

TEST_CASE("an exchange keeps the decaying schedule's noise scale") {
  // Without the finite-population correction eps / B is what must agree, wherever the updates stand.
  for (const BaseSchedule base : {BaseSchedule::step, BaseSchedule::cosine, BaseSchedule::linear}) {
    for (const Exchange exchange : {Exchange::hybrid, Exchange::batch}) {
      ScheduleOptions options = small(base);
      options.milestones = {3, 6, 8};
      options.factor = 3;
      options.max_batch = 200;
      const auto decaying = make_schedule(options);
      options.exchange = exchange;
      const auto growing = make_schedule(options);
      for (SamplesSeen seen = 0; seen < 10000; seen += 10) {
        const Setting a = decaying->at(seen), b = growing->at(seen);
        // Near an edge the two may still be in different segments: batches differ, and so do middles.
        bool near = false;
        for (const SamplesSeen edge : {3000, 6000, 8000}) near = near || std::abs(seen - edge) <= 200;
        if (base == BaseSchedule::step && near) continue;
        CHECK(b.learning_rate / static_cast<double>(b.batch) ==
              doctest::Approx(a.learning_rate / static_cast<double>(a.batch)).epsilon(1e-12));
        CHECK(b.batch % 10 == 0);
        CHECK(b.batch <= 200);
      }
    }
  }
}

TEST_CASE("the square-root rule gives back the square root of the growth") {
  ScheduleOptions options = cifar(1e-3, 0, 128, Exchange::batch, 0);
  options.factor = 4;
  options.rule = ExchangeRule::square_root;
  const Setting setting = make_schedule(options)->at(samples_in(90, options));
  CHECK(setting.batch == 512);
  CHECK(setting.learning_rate == doctest::Approx(0.5e-3).epsilon(1e-15));
}

TEST_CASE(
    "batches are whole ghosts: the nearest of steps, and what rounding takes stays in the learning rate") {
  ScheduleOptions options = small(BaseSchedule::step);
  options.milestones = {5};
  options.exchange = Exchange::batch;
  options.factor = 2.3;  // 46 images: 5 ghosts
  Setting setting = make_schedule(options)->at(6000);
  CHECK(setting.batch == 50);
  CHECK(setting.learning_rate == doctest::Approx(0.1 * 50 / 46));
  options.factor = 1.1;  // 22 images: still 2 ghosts
  setting = make_schedule(options)->at(6000);
  CHECK(setting.batch == 20);
  CHECK(setting.learning_rate == doctest::Approx(0.1 / 1.1));
}

TEST_CASE("an update belongs to the segment of its middle") {
  ScheduleOptions options = small(BaseSchedule::step);
  options.milestones = {3, 3.01};  // edges at 3000 and 3010 samples
  options.factor = 5;
  options.exchange = Exchange::batch;
  const auto schedule = make_schedule(options);
  CHECK(schedule->at(2989).batch == 20);  // its middle is 2999
  CHECK(schedule->at(2990).batch ==
        500);  // 3000 is in the second, but half of 100 images reach over the third's edge
  ScheduleOptions decaying = options;
  decaying.exchange = Exchange::none;
  const auto rates = make_schedule(decaying);
  CHECK(rates->at(2990).learning_rate == doctest::Approx(0.02));
  CHECK(rates->at(2999).learning_rate == doctest::Approx(0.02));
  CHECK(rates->at(3000).learning_rate == doctest::Approx(0.004));
}

TEST_CASE("a batch of an odd size is halved exactly") {
  ScheduleOptions options = small(BaseSchedule::step);
  options.batch = options.ghost_batch = 7;
  options.milestones = {5};
  const auto schedule = make_schedule(options);
  CHECK(schedule->at(4996).learning_rate == 0.1);  // middle 4999.5
  CHECK(schedule->at(4997).learning_rate == 0.02);
  Timeline timeline(options);
  CHECK(timeline.next(9996, {}));  // middle 9999.5
  CHECK_FALSE(timeline.next(9997, {}));
}

TEST_CASE("a policy decides each update by what was measured until then") {
  // Doubles the batch, to 80 at most, if the measured noise scale is twice as large.
  class Doubling final : public BatchPolicy {
   public:
    Setting next(SamplesSeen, const Measurement& measurement) override {
      if (measurement.noise_scale.value_or(0) >= 2 * static_cast<double>(batch_))
        batch_ = std::min<int64_t>(2 * batch_, 80);
      return {.learning_rate = 0.1, .batch = batch_};
    }
    BatchBounds bounds(SamplesSeen) const override { return {batch_, 80}; }

   private:
    int64_t batch_ = 20;
  };
  const ScheduleOptions options = small(BaseSchedule::constant);
  Timeline timeline(options, std::make_unique<Doubling>());
  SamplesSeen seen = 0;
  std::vector<int64_t> batches;
  while (const std::optional<Update> update =
             timeline.next(seen, {.noise_scale = static_cast<double>(seen) / 100})) {
    CHECK(update->first == seen);
    const int64_t expected = seen < 4000 ? 20 : seen < 8000 ? 40 : 80;
    CHECK(update->setting.batch == expected);
    seen = update->end();
  }
  CHECK(seen == 10000);
  CHECK(possible_batches(Timeline(options, std::make_unique<Doubling>()), options.ghost_batch) ==
        std::set<int64_t>{20, 30, 40, 50, 60, 70, 80});
}

TEST_CASE("the batches of a schedule are known before the run") {
  const auto batches = [](const ScheduleOptions& options) {
    return possible_batches(Timeline(options), options.ghost_batch);
  };
  CHECK(batches(cifar(0.1, 0.9, 128, Exchange::none, 0)) == std::set<int64_t>{128});
  CHECK(batches(cifar(0.1, 0.9, 128, Exchange::batch, 5120)) == std::set<int64_t>{128, 640, 3200, 5120});
  ScheduleOptions options = small(BaseSchedule::linear);
  options.exchange = Exchange::batch;
  std::set<int64_t> found;
  for (const Update& update : updates(options)) found.insert(update.setting.batch);
  CHECK(batches(options) == found);
}

TEST_CASE("cosine and linear follow their formulas") {
  for (const SamplesSeen seen : {0, 1, 20, 2500, 5000, 9980, 9999}) {
    const double progress = static_cast<double>(seen) / 10000;
    CHECK(make_schedule(small(BaseSchedule::cosine))->at(seen).learning_rate ==
          doctest::Approx(0.05 * (1 + std::cos(std::numbers::pi * progress))).epsilon(1e-10));
    CHECK(make_schedule(small(BaseSchedule::linear))->at(seen).learning_rate ==
          doctest::Approx(0.1 * (1 - progress)).epsilon(1e-10));
    CHECK(make_schedule(small(BaseSchedule::constant))->at(seen).learning_rate == 0.1);
  }
}

TEST_CASE("a smooth decay becomes growth in whole ghosts, rounded down") {
  ScheduleOptions options = small(BaseSchedule::linear);
  options.exchange = Exchange::batch;
  const auto schedule = make_schedule(options);
  CHECK(schedule->at(0).batch == 20);
  CHECK(schedule->at(3333).batch == 20);  // 29.998 images
  CHECK(schedule->at(3334).batch == 30);
  CHECK(schedule->at(5000).batch == 40);
  CHECK(schedule->at(9999).batch == 1000);  // the whole training set at most
  int64_t last = 0;
  for (const Update& update : updates(options)) {
    CHECK(update.setting.batch >= last);
    last = update.setting.batch;
  }
  CHECK(updates(options).size() < updates(small(BaseSchedule::linear)).size());
}

TEST_CASE("warm-up rises update by update to the initial learning rate, then the decay starts") {
  ScheduleOptions options = small(BaseSchedule::cosine);
  options.warmup_epochs = 0.1;  // 100 samples, five updates
  options.exchange = Exchange::batch;
  const auto schedule = make_schedule(options);
  for (int update = 1; update <= 5; ++update) {
    const Setting setting = schedule->at(20 * (update - 1));
    CHECK(setting.learning_rate == doctest::Approx(0.02 * update).epsilon(1e-15));
    CHECK(setting.batch == 20);
  }
  CHECK(schedule->at(100).learning_rate == doctest::Approx(0.1).epsilon(1e-12));
  options.exchange = Exchange::none;
  CHECK(make_schedule(options)->at(100 + 4950).learning_rate == doctest::Approx(0.05).epsilon(1e-12));
}

TEST_CASE("updates follow one another without a gap, or begin epochs where remainders are dropped") {
  ScheduleOptions options = small(BaseSchedule::step);
  options.batch = 30;
  options.milestones = {4, 7};
  options.factor = 3;
  options.exchange = Exchange::batch;
  SamplesSeen expected = 0;
  for (const Update& update : updates(options)) {
    CHECK(update.first == expected);
    expected = update.first + update.setting.batch;
  }
  CHECK(std::abs(expected - 10000) <= 135);

  options.epoch_edge = EpochEdge::drop;
  expected = 0;
  for (const Update& update : updates(options)) {
    CHECK((update.first == expected || (update.first % 1000 == 0 && update.first - expected < 270)));
    CHECK(update.first / 1000 == (update.first + update.setting.batch - 1) / 1000);
    expected = update.first + update.setting.batch;
  }
}

TEST_CASE("a run shorter than half a batch has no update, and a batch may be larger than the training set") {
  ScheduleOptions options = small(BaseSchedule::step);
  options.epochs = 0.009;
  CHECK(updates(options).empty());
  options.epochs = 0.01;
  CHECK(updates(options).size() == 1);
  options.epochs = 5;
  options.batch = 2500;
  CHECK(updates(options).size() == 2);
}

TEST_CASE("options that cannot be trained with are rejected by name") {
  const ScheduleOptions good = cifar(0.1, 0.9, 128, Exchange::batch, 5120);
  CHECK_NOTHROW(validate(good));
  const auto message = [&](auto change) {
    ScheduleOptions options = good;
    change(options);
    try {
      make_schedule(options);
    } catch (const std::invalid_argument& error) {
      return std::string(error.what());
    }
    return std::string("accepted");
  };
  using O = ScheduleOptions;
  CHECK(message([](O& o) { o.batch = 1000; }) ==
        "batch: found 1000, expected a multiple of the ghost batch 128; the nearest is 1024");
  CHECK(message([](O& o) { o.batch = 0; }) == "batch: found 0, expected 1 or more");
  CHECK(message([](O& o) { o.ghost_batch = -1; }) == "ghost-batch: found -1, expected 1 or more");
  CHECK(message([](O& o) { o.max_batch = 5000; }).starts_with("max-batch: found 5000, expected a multiple"));
  CHECK(message([](O& o) { o.batch = 6400; }).starts_with("max-batch: found 5120, expected at least"));
  CHECK(message([](O& o) {
          o.milestones = {60, 50};
        }).starts_with("milestones: found 50 after 60, expected"));
  CHECK(message([](O& o) {
          o.milestones = {60, 60};
        }).starts_with("milestones: found 60 after 60, expected"));
  CHECK(message([](O& o) { o.milestones = {60, 200}; }).starts_with("milestones: found 200, expected"));
  CHECK(message([](O& o) { o.milestones = {0}; }).starts_with("milestones: found 0, expected"));
  CHECK(message([](O& o) { o.milestones = {NAN}; }).starts_with("milestones: found nan, expected"));
  CHECK(message([](O& o) { o.factor = 1; }).starts_with("factor: found 1, expected"));
  CHECK(message([](O& o) { o.factor = INFINITY; }).starts_with("factor: found inf, expected"));
  CHECK(message([](O& o) { o.learning_rate = -0.1; }).starts_with("learning-rate: found -0.1, expected"));
  CHECK(message([](O& o) { o.learning_rate = NAN; }).starts_with("learning-rate: found nan, expected"));
  CHECK(message([](O& o) { o.momentum = 1; }).starts_with("momentum: found 1, expected"));
  CHECK(message([](O& o) { o.weight_decay = -1; }).starts_with("weight-decay: found -1, expected"));
  CHECK(message([](O& o) { o.epochs = 0; }).starts_with("epochs: found 0, expected"));
  CHECK(message([](O& o) { o.epochs = 1e18; }).starts_with("epochs: 1e+18 of 50000 images are too many"));
  CHECK(message([](O& o) { o.warmup_epochs = 200; }).starts_with("warmup-epochs: found 200, expected"));
  CHECK(message([](O& o) { o.warmup_epochs = 70; }).starts_with("milestones: found 60, expected"));
  CHECK(message([](O& o) { o.train_images = 0; }).starts_with("train-images: found 0, expected"));
  CHECK(message([](O& o) {
          o.epoch_edge = EpochEdge::drop;
          o.train_images = 100;
        }).starts_with("batch: found 128, expected at most the 100 training images"));
}

TEST_CASE("the noise scale is that of Smith et al., section 2") {
  CHECK(noise_scale({.learning_rate = 0.1, .momentum = 0.9, .weight_decay = 0, .batch = 128}, 50000) ==
        doctest::Approx(0.1 / 0.1 * (50000.0 / 128 - 1)));
}

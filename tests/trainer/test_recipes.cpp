// The recipes built in: each can be read, is one of the paper's runs, and is as long as it says.
#include <doctest/doctest.h>

#include <map>

#include "trainer/options/option_table.h"
#include "trainer/options/recipes.h"
#include "trainer/plan/plan.h"
#include "trainer/store/embedded.h"

using namespace crescendo;

namespace {

TrainOptions options_of(const std::string& recipe) {
  TrainOptions options;
  apply_config(options, find_recipe(recipe).text, recipe);
  return options;
}

}  // namespace

TEST_CASE("every recipe can be trained with and says what it is") {
  CHECK(recipes().size() == 24);
  for (const Recipe& recipe : recipes()) {
    CAPTURE(recipe.name);
    CHECK(recipe.description.starts_with("Figure"));
    const TrainOptions options = options_of(recipe.name);
    CHECK_NOTHROW(validate(options));
    if (recipe.name.starts_with("cifar10")) {
      CHECK(options.model == "wrn-16-4");
      CHECK(options.ghost_batch == 128);
      CHECK(options.milestones == std::vector<double>{60, 120, 160});
    } else {
      CHECK(options.model ==
            (recipe.name.starts_with("imagenet-resnet-50") ? "resnet-50" : "inception-resnet-v2"));
      CHECK(options.milestones == std::vector<double>{30, 60, 80});
      CHECK(options.no_decay_norm);
    }
  }
}

TEST_CASE("recipes have the paper's numbers of updates") {
  const std::map<std::string, int64_t> expected = {
      {"cifar10-max5120-original", 78125},         {"cifar10-max5120-increasing-batch", 29141},
      {"cifar10-max5120-increased-lr", 6406},      {"cifar10-max5120-increased-momentum", 2305},
      {"imagenet-inception-decaying-lr", 14075},   {"imagenet-inception-increasing-batch", 5630},
      {"imagenet-inception-momentum-0.9", 5865},   {"imagenet-inception-momentum-0.95", 3519},
      {"imagenet-inception-momentum-0.975", 2346}, {"imagenet-resnet-50-decaying-lr", 14075},
      {"imagenet-resnet-50-large-batch", 7038},    {"imagenet-resnet-50-increasing-batch", 9384}};
  for (const auto& recipe : expected) {
    CAPTURE(recipe.first);
    CHECK(make_plan(options_of(recipe.first)).updates == recipe.second);
  }
  for (const char* optimizer : {"sgd", "momentum", "nesterov", "adam"}) {
    std::vector<int64_t> updates;
    for (const char* way : {"decaying-lr", "hybrid", "increasing-batch"})
      updates.push_back(make_plan(options_of(std::string("cifar10-") + optimizer + "-" + way)).updates);
    // 60 epochs of 128 and 140 of 640; or 60 of 128, 60 of 640, 40 of 3200 and 40 of 16000.
    CHECK(updates == std::vector<int64_t>{78125, 34375, 28875});
  }
}

TEST_CASE("ResNet-50's batch doubles where its learning rate would fall by ten") {
  const Plan plan = make_plan(options_of("imagenet-resnet-50-increasing-batch"));
  REQUIRE(plan.segments.size() == 5);  // of which the first is the warm-up
  const std::vector<double> rates = {3.2, 0.64, 0.064, 0.0064};
  for (size_t i = 0; i < rates.size(); ++i) {
    CHECK(plan.segments[i + 1].batch == (i == 0 ? 8192 : 16384));
    CHECK(plan.segments[i + 1].learning_rate == doctest::Approx(rates[i]).epsilon(1e-12));
  }
}

TEST_CASE("an unknown recipe is named") {
  CHECK_THROWS_WITH_AS(find_recipe("imagenet"), doctest::Contains("there is no imagenet; --recipe list"),
                       std::invalid_argument);
}

TEST_CASE("files are built in whole") {
  CHECK(embedded_file("report_page.html").ends_with("</html>\n"));
  CHECK(embedded_file("no such file").empty());
}

// The recipes built in: each can be read, is one of the paper's runs, and is as long as it says.
#include <doctest/doctest.h>

#include <map>

#include "trainer/embedded.h"
#include "trainer/option_table.h"
#include "trainer/plan.h"
#include "trainer/recipes.h"

using namespace crescendo;

TEST_CASE("every recipe can be trained with and says what it is") {
  CHECK(recipes().size() >= 16);
  for (const Recipe& recipe : recipes()) {
    CAPTURE(recipe.name);
    CHECK(recipe.description.starts_with("Figure"));
    TrainOptions options;
    apply_config(options, recipe.text, recipe.name);
    CHECK_NOTHROW(validate(options));
    CHECK(options.model == "wrn-16-4");
    CHECK(options.ghost_batch == 128);
    CHECK(options.milestones == std::vector<double>{60, 120, 160});
  }
}

TEST_CASE("recipes have the paper's numbers of updates") {
  const std::map<std::string, int64_t> expected = {{"cifar10-max5120-original", 78125},
                                                   {"cifar10-max5120-increasing-batch", 29141},
                                                   {"cifar10-max5120-increased-lr", 6406},
                                                   {"cifar10-max5120-increased-momentum", 2305}};
  for (const auto& [name, updates] : expected) {
    TrainOptions options;
    apply_config(options, find_recipe(name).text, name);
    CHECK(make_plan(options).updates == updates);
  }
  for (const char* optimizer : {"sgd", "momentum", "nesterov", "adam"}) {
    std::vector<int64_t> updates;
    for (const char* way : {"decaying-lr", "hybrid", "increasing-batch"}) {
      const std::string name = std::string("cifar10-") + optimizer + "-" + way;
      TrainOptions options;
      apply_config(options, find_recipe(name).text, name);
      updates.push_back(make_plan(options).updates);
    }
    // 60 epochs of 128 and 140 of 640; or 60 of 128, 60 of 640, 40 of 3200 and 40 of 16000.
    CHECK(updates == std::vector<int64_t>{78125, 34375, 28875});
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

#include "trainer/cli/options.h"

#include <fmt/format.h>

#include <algorithm>

#include "trainer/options/recipes.h"
#include "trainer/record/console.h"

namespace crescendo {

namespace {

[[noreturn]] void list_recipes() {
  size_t width = 0;
  for (const Recipe& recipe : recipes()) width = std::max(width, recipe.name.size());
  for (const Recipe& recipe : recipes()) print_output("{:<{}}  {}\n", recipe.name, width, recipe.description);
  throw CLI::Success();
}

void apply_recipe(TrainOptions& options, const std::string& name) {
  if (name == "list") list_recipes();
  apply_config(options, find_recipe(name).text, "recipe " + name);
}

using Apply = std::function<void(const OptionChange&)>;

// Adds the flag of an option. `defaults` are for the help text.
void add_field(CLI::App& app, const OptionField& field, const TrainOptions& defaults, const Apply& apply) {
  const std::string name = "--" + field.name;
  const auto set = [&field, apply](const std::string& text) {
    apply([&field, text](TrainOptions& options) { field.set(options, text); });
  };
  if (field.form == OptionForm::flag) {
    const auto set_flag = [set](int64_t count) { set(count > 0 ? "true" : "false"); };
    app.add_flag_function(name, set_flag, field.meaning)->group(field.group);
    return;
  }
  app.add_option_function<std::string>(name, set, field.meaning)
      ->group(field.group)
      ->type_name(field.values)
      ->default_str(field.get(defaults))
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
}

}  // namespace

void add_some_options(CLI::App& app, TrainOptions& options, const std::set<std::string>& names) {
  const Apply apply = [&options](const OptionChange& change) { change(options); };
  for (const OptionField& field : option_fields())
    if (names.contains(field.name)) add_field(app, field, options, apply);
}

void add_train_options(CLI::App& app, TrainOptions& options, std::vector<OptionChange>* changes) {
  const Apply apply = [&options, changes](const OptionChange& change) {
    change(options);
    if (changes != nullptr) changes->push_back(change);
  };
  // Callbacks run in the order of these lines, whatever the order on the command line. Later ones win.
  const auto recipe = [apply](const std::string& name) {
    apply([name](TrainOptions& to) { apply_recipe(to, name); });
  };
  const auto config = [apply](const std::string& path) {
    apply([path](TrainOptions& to) { apply_config_file(to, path); });
  };
  app.add_option_function<std::string>(
         "--recipe", recipe, "Start from the options of one of the paper's runs; list prints all recipes")
      ->type_name("NAME|list");
  app.add_option_function<std::string>("--config", config,
                                       "Read options from a TOML file, such as a run's config.toml")
      ->type_name("FILE");
  for (const OptionField& field : option_fields()) add_field(app, field, options, apply);
  app.get_formatter()->column_width(44);
  const std::string name = "  crescendo " + app.get_name();
  app.footer("Examples:\n" + name +
             " --model wrn-16-1 --data shapes --epochs 15 --milestones 5,9,12 --exchange batch\n" + name +
             " --recipe cifar10-max5120-increasing-batch --data-dir DIR --run-dir runs/a\n" + name +
             " --config runs/a/config.toml --seed 2 --run-dir runs/b");
}

}  // namespace crescendo

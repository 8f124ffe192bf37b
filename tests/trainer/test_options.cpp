// Options as text: every field there and back, configuration files, and what is said of mistakes.
#include <doctest/doctest.h>

#include <cmath>
#include <set>

#include "trainer/options/open_device.h"
#include "trainer/options/option_table.h"
#include "trainer/options/toml.h"
#include "trainer/resume.h"

using namespace crescendo;

namespace {

template <class Action>
std::string message_of(Action action) {
  try {
    action();
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "accepted";
}

std::string config_error(const std::string& text) {
  TrainOptions options;
  return message_of([&] { apply_config(options, text, "a.toml"); });
}

std::string validation_error(void (*change)(TrainOptions&)) {
  TrainOptions options;
  change(options);
  return message_of([&] { validate(options); });
}

// Differs from the default in every field.
TrainOptions all_changed() {
  TrainOptions options;
  options.model = "wrn-28-10";
  options.zero_gamma = true;
  options.norm_scale = false;
  options.auxiliary_weight = 0.4;
  options.data = "cifar100";
  options.data_dir = "with \"quotes\", a \\, a # and\ta tab";
  options.train_images = 12345678901234;
  options.val_dir = "val pictures";
  options.image_size = 299;
  options.augment = Augment::inception;
  options.bad_images = BadImages::substitute;
  options.shuffle = false;
  options.seed = 18446744073709551615u;
  options.init = "runs/it's";
  options.epochs = 90.5;
  options.optimizer = OptimizerKind::adam;
  options.learning_rate = 1.0 / 3;
  options.momentum = 0.975;
  options.weight_decay = 1e-300;
  options.beta1 = 0.8;
  options.beta2 = 0.99;
  options.epsilon = 1e-7;
  options.no_decay_norm = true;
  options.label_smoothing = 0.1;
  options.batch = 256;
  options.ghost_batch = 64;
  options.running_statistics = RunningStatistics::mean_of_ghosts;
  options.exact_sum = !options.exact_sum;
  options.schedule = BaseSchedule::linear;
  options.milestones = {0.1, 30, 60.25};
  options.factor = 10;
  options.warmup_epochs = 5;
  options.exchange = Exchange::hybrid;
  options.exchange_rule = ExchangeRule::square_root;
  options.max_batch = 65536;
  options.epoch_edge = EpochEdge::drop;
  options.device = "cuda:1";
  options.precision = Precision::bf16;
  options.micro_batch = 192;
  options.threads = 3;
  options.convolution = ConvolutionAlgorithm::own;
  options.instruction_set = InstructionSet::generic;
  options.loader_threads = 4;
  options.noise_scale = true;
  options.workers = 3;
  options.balance = true;
  options.verify_every = 50;
  options.run_dir = "runs/a b";
  options.resume = true;
  options.max_updates = 0;
  options.eval_every = 0.5;
  options.checkpoint_every = 100;
  options.keep = 7;
  options.quiet = true;
  return options;
}

}  // namespace

TEST_CASE("config.toml gives back the options it was written from") {
  for (const TrainOptions& options : {TrainOptions{}, all_changed()}) {
    TrainOptions read = options == TrainOptions{} ? all_changed() : TrainOptions{};
    const TrainOptions before = read;
    apply_config(read, config_text(options), "config.toml");
    TrainOptions expected = options;  // but these belong to one start of a run
    expected.workers = before.workers;
    expected.resume = before.resume;
    expected.max_updates = before.max_updates;
    expected.quiet = before.quiet;
    CHECK(read == expected);
  }
}

TEST_CASE("the list of options has every field, and each name once") {
  const TrainOptions changed = all_changed(), defaults;
  std::set<std::string> names;
  for (const OptionField& field : option_fields()) {
    CAPTURE(field.name);
    CHECK(names.insert(field.name).second);
    CHECK(field.get(changed) != field.get(defaults));
    CHECK_FALSE(field.meaning.empty());
  }
}

TEST_CASE("words stand for special values") {
  TrainOptions options = all_changed();
  apply_config(options, "micro-batch = \"auto\"\nmax-updates = \"all\"\nmax-batch = 0\nmilestones = \"none\"",
               "a");
  CHECK(options.micro_batch == 0);
  CHECK(options.max_updates == -1);
  CHECK(options.max_batch == 0);
  CHECK(options.milestones.empty());
}

TEST_CASE("a configuration file may hold comments, blank lines, underscores and arrays over several lines") {
  TrainOptions options;
  apply_config(options,
               "# a run\r\n\n  batch = 1_024 # images\n"
               "model = 'wrn-16-1'\nmilestones = [ 60, # first\n  120,\n 160, ]\n\nresume = true",
               "a.toml");
  CHECK(options.batch == 1024);
  CHECK(options.model == "wrn-16-1");
  CHECK(options.milestones == std::vector<double>{60, 120, 160});
  CHECK(options.resume);
}

TEST_CASE("mistakes in a configuration file are named with file, line and key") {
  CHECK(config_error("batch = 128\nlearning_rate = 0.1") ==
        "a.toml:2: unknown key learning_rate, the nearest is learning-rate");
  CHECK(config_error("exchange = \"always\"") ==
        "a.toml:1: exchange: found \"always\", expected one of none|hybrid|batch");
  CHECK(config_error("\n\nbatch = \"many\"") == "a.toml:3: batch: found \"many\", expected a whole number");
  CHECK(config_error("batch = 1.5") == "a.toml:1: batch: found \"1.5\", expected a whole number");
  CHECK(config_error("batch = 99999999999999999999") ==
        "a.toml:1: batch: 99999999999999999999 is too large or too small");
  CHECK(config_error("micro-batch = some") == "a.toml:1: found some, expected quotes around a string");
  CHECK(config_error("micro-batch = \"some\"") ==
        "a.toml:1: micro-batch: found \"some\", expected a whole number or auto");
  CHECK(config_error("batch 128") == "a.toml:1: expected = after batch");
  CHECK(config_error("batch =") ==
        "a.toml:1: expected a value: a number, true, false, or a string in quotes");
  CHECK(config_error("batch = 1\nbatch = 2") == "a.toml:2: batch was given before, in line 1");
  CHECK(config_error("[train]\nbatch = 1") == "a.toml:1: found a table, expected every key at the top level");
  CHECK(config_error("model = \"wrn") == "a.toml:1: a string has no closing quote");
  CHECK(config_error("milestones = [1, 2") == "a.toml:1: expected , or ] in an array");
  CHECK(config_error("milestones = [1,, 2]").starts_with("a.toml:1: expected a value"));
  CHECK(config_error("batch = 1 2") == "a.toml:1: found more text after the value of batch");
  CHECK(config_error("resume = \"yes\"") == "a.toml:1: resume: found \"yes\", expected true or false");
  TrainOptions options;
  CHECK(message_of([&] { apply_config_file(options, "/nowhere/a.toml"); }) ==
        "config: /nowhere/a.toml is not a file");
}

TEST_CASE("a list is numbers with commas between them") {
  const auto set = [](const std::string& text) {
    TrainOptions options;
    for (const OptionField& field : option_fields())
      if (field.name == "milestones") field.set(options, text);
    return options.milestones;
  };
  CHECK(set("60,120, 160") == std::vector<double>{60, 120, 160});
  CHECK(set("") == std::vector<double>{});
  CHECK(set("none") == std::vector<double>{});
  for (const char* wrong : {"60,", ",", "60;120", "a", "60 120"})
    CHECK(message_of([&] { set(wrong); }).find("expected numbers with commas") != std::string::npos);
}

TEST_CASE("strings survive TOML") {
  CHECK(read_toml("key = 'C:\\new'", "a").at(0).value == "C:\\new");  // nothing is escaped in single quotes
  CHECK(read_toml("key = \"a\\nb\"", "a").at(0).value == "a\nb");
  for (const std::string text : {"", "plain", "\"", "\\", "a\nb\tc\r", "#", "it's", "\xc3\xa4"}) {
    const std::vector<TomlEntry> entries = read_toml("key = " + toml_string(text), "a");
    REQUIRE(entries.size() == 1);
    CHECK(entries[0].value == text);
  }
}

TEST_CASE("validation names the option, what was found and what was expected") {
  using O = TrainOptions;
  CHECK(validation_error([](O&) {}) == "accepted");
  CHECK(validation_error([](O& o) { o.batch = 100; }).starts_with("batch: found 100, expected a multiple"));
  CHECK(validation_error([](O& o) { o.milestones = {300}; }).starts_with("milestones: found 300"));
  CHECK(validation_error([](O& o) { o.momentum = -0.1; }).starts_with("momentum: found -0.1"));
  CHECK(validation_error([](O& o) { o.beta2 = 1; }).starts_with("beta2: found 1"));
  CHECK(validation_error([](O& o) { o.epsilon = 0; }).starts_with("epsilon: found 0"));
  CHECK(validation_error([](O& o) { o.label_smoothing = NAN; }).starts_with("label-smoothing: found nan"));
  CHECK(validation_error([](O& o) { o.threads = -1; }).starts_with("threads: found -1"));
  CHECK(validation_error([](O& o) { o.loader_threads = -1; }).starts_with("loader-threads: found -1"));
  CHECK(validation_error([](O& o) { o.micro_batch = 100; }).starts_with("micro-batch: found 100"));
  CHECK(validation_error([](O& o) { o.train_images = -1; }).starts_with("train-images: found -1"));
  CHECK(validation_error([](O& o) { o.max_updates = -2; }).starts_with("max-updates: found -2"));
  CHECK(validation_error([](O& o) { o.eval_every = -1; }).starts_with("eval-every: found -1"));
  CHECK(validation_error([](O& o) { o.checkpoint_every = -1; }).starts_with("checkpoint-every: found -1"));
  CHECK(validation_error([](O& o) { o.keep = 0; }).starts_with("keep: found 0"));
}

TEST_CASE("a device has convolutions of its own") {
  using enum ConvolutionAlgorithm;
  const auto error = [](const char* device, Precision precision, ConvolutionAlgorithm convolution) {
    TrainOptions options;
    options.device = device;
    options.precision = precision;
    options.convolution = convolution;
    const std::string message = message_of([&] { validate(options); });
    CHECK(has_convolution(options, convolution) == (message == "accepted"));
    return message;
  };
  for (const auto convolution : {automatic, winograd, direct})
    CHECK(error("cpu", Precision::fp32, convolution) == "accepted");
  for (const auto convolution : {automatic, own})
    CHECK(error("cuda", Precision::bf16, convolution) == "accepted");
  const std::string own_needs = "convolution: own needs --device cuda --precision bf16";
  CHECK(error("cpu", Precision::fp32, own) == own_needs);
  CHECK(error("cuda:1", Precision::fp32, own) == own_needs);
  CHECK(error("cuda", Precision::tf32, own) == own_needs);
  for (const auto convolution : {winograd, direct})
    CHECK(error("cuda", Precision::bf16, convolution).starts_with("convolution: winograd and direct are"));
  CHECK(message_of([] { Device::cpu(1, own); }) == own_needs);
}

TEST_CASE("a resumed run keeps its convolution where the device has it") {
  TrainOptions saved, options;
  saved.convolution = ConvolutionAlgorithm::direct;
  const auto error = [&] {
    return message_of([&] { require_same_run(config_text(saved), options, "a.safetensors"); });
  };
  CHECK(error().starts_with("--resume: --convolution is auto but a.safetensors"));
  options.device = "cuda";
  CHECK(error() == "accepted");
  saved.convolution = ConvolutionAlgorithm::own;
  options.precision = Precision::bf16;
  CHECK(error().starts_with("--resume: --convolution is auto but a.safetensors"));
  options.precision = Precision::tf32;
  CHECK(error() == "accepted");
}

TEST_CASE("each worker of a machine has a GPU of its own, or the only one") {
  CHECK(gpu_of_worker(3, 4) == 3);
  CHECK(gpu_of_worker(3, 1) == 0);
  CHECK(gpu_of_worker(0, 0) == 0);  // opening it says that there is none
  CHECK(message_of([] { gpu_of_worker(4, 4); }) ==
        "device: this machine has 4 GPUs and more workers; start 4 or fewer here, or let all share one: "
        "--device "
        "cuda:0");
}

TEST_CASE("momentum is that of the optimizers that have one") {
  TrainOptions options;
  for (const OptimizerKind kind :
       {OptimizerKind::sgd, OptimizerKind::momentum, OptimizerKind::nesterov, OptimizerKind::adam}) {
    options.optimizer = kind;
    const bool has_momentum = kind == OptimizerKind::momentum || kind == OptimizerKind::nesterov;
    CHECK(schedule_options(options, 100).momentum == (has_momentum ? 0.9 : 0));
  }
}

// How each kind of option is read and written, and the list of them all.
#include "trainer/options/option_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

#include "base/check.h"

namespace crescendo {

namespace {

// Words that stand for values: the names of an enumeration, or "auto" for 0.
template <class T>
using Words = std::vector<std::pair<std::string, T>>;

template <class T>
std::string names_of(const Words<T>& words) {
  std::string names;
  for (const auto& [word, value] : words) names += (names.empty() ? "" : "|") + word;
  return names;
}

// Of a value that may have none: empty.
template <class T>
std::string word_of(const Words<T>& words, const T& wanted) {
  for (const auto& [word, value] : words)
    if (value == wanted) return word;
  return "";
}

template <class T>
std::optional<T> value_of(const Words<T>& words, const std::string& wanted) {
  for (const auto& [word, value] : words)
    if (word == wanted) return value;
  return std::nullopt;
}

template <class T>
T parse_number(const std::string& name, const std::string& text, const std::string& expected) {
  T value{};
  const char* end = text.data() + text.size();
  const auto result = std::from_chars(text.data(), end, value);
  require(result.ec != std::errc::result_out_of_range, name, ": ", text, " is too large or too small");
  require(result.ec == std::errc() && result.ptr == end, name, ": found \"", text, "\", expected ", expected);
  return value;
}

template <class T>
std::string kind_of_number() {
  return std::is_integral_v<T> ? "a whole number" : "a number";
}

// Collects the fields of one group of the help text.
class Group {
 public:
  Group(std::vector<OptionField>& fields, std::string name) : fields_(fields), name_(std::move(name)) {}

  // `words` stand for numbers that mean something else: {"auto", 0}.
  template <class T>
  void number(const std::string& name, T TrainOptions::*member, const std::string& meaning,
              const Words<T>& words = {}) {
    std::string expected = kind_of_number<T>();
    for (const auto& [word, value] : words) expected += " or " + word;
    const std::string letter = std::is_integral_v<T> ? "N" : "X";
    add(
        name, words.empty() ? letter : names_of(words) + "|" + letter, meaning, OptionForm::number,
        [member, words](const TrainOptions& options) {
          const std::string word = word_of(words, options.*member);
          return word.empty() ? fmt::format("{}", options.*member) : word;
        },
        [=](TrainOptions& options, const std::string& text) {
          const std::optional<T> value = value_of(words, text);
          options.*member = value ? *value : parse_number<T>(name, text, expected);
        });
  }

  template <class T>
  void word(const std::string& name, T TrainOptions::*member, const std::string& meaning,
            const Words<T>& words) {
    add(
        name, names_of(words), meaning, OptionForm::word,
        [member, words](const TrainOptions& options) { return word_of(words, options.*member); },
        [=](TrainOptions& options, const std::string& text) {
          const std::optional<T> value = value_of(words, text);
          require(value.has_value(), name, ": found \"", text, "\", expected one of ", names_of(words));
          options.*member = *value;
        });
  }

  void text(const std::string& name, const std::string& values, std::string TrainOptions::*member,
            const std::string& meaning) {
    add(
        name, values, meaning, OptionForm::text,
        [member](const TrainOptions& options) { return options.*member; },
        [member](TrainOptions& options, const std::string& text) { options.*member = text; });
  }

  void flag(const std::string& name, bool TrainOptions::*member, const std::string& meaning) {
    add(
        name, "", meaning, OptionForm::flag,
        [member](const TrainOptions& options) { return std::string(options.*member ? "true" : "false"); },
        [=](TrainOptions& options, const std::string& text) {
          require(text == "true" || text == "false", name, ": found \"", text, "\", expected true or false");
          options.*member = text == "true";
        });
  }

  void list(const std::string& name, std::vector<double> TrainOptions::*member, const std::string& meaning) {
    add(
        name, "X,X,...", meaning, OptionForm::list,
        [member](const TrainOptions& options) { return fmt::format("{}", fmt::join(options.*member, ",")); },
        [=](TrainOptions& options, const std::string& text) {
          std::vector<double> values;
          for (size_t place = 0; !text.empty() && text != "none" && place <= text.size();) {
            const size_t comma = std::min(text.find(',', place), text.size());
            const std::string part = text.substr(place, comma - place);
            const size_t first = std::min(part.find_first_not_of(' '), part.size());
            values.push_back(
                parse_number<double>(name, part.substr(first), "numbers with commas between them"));
            place = comma + 1;
          }
          options.*member = values;
        });
  }

 private:
  void add(const std::string& name, const std::string& values, const std::string& meaning, OptionForm form,
           std::function<std::string(const TrainOptions&)> get,
           std::function<void(TrainOptions&, const std::string&)> set) {
    fields_.push_back({name, name_, values, meaning, form, std::move(get), std::move(set)});
  }

  std::vector<OptionField>& fields_;
  std::string name_;
};

using Options = TrainOptions;
const Words<bool> kOnOff = {{"on", true}, {"off", false}};

void list_data(Group group) {
  group.text("model", "NAME", &Options::model,
             "wrn-D-W: wide ResNet of depth D = 6n+4 and width W; resnet-18 to -152; inception-resnet-v2");
  group.word("zero-gamma", &Options::zero_gamma,
             "resnet: the last norm's scale of each residual block starts at zero", kOnOff);
  group.word("norm-scale", &Options::norm_scale, "inception-resnet-v2: norms have a trained scale", kOnOff);
  group.number("auxiliary-weight", &Options::auxiliary_weight,
               "inception-resnet-v2: add an auxiliary head, whose loss has this weight (0.4)",
               {{"none", 0.0}});
  group.word<std::string>("data", &Options::data, "What to train on; shapes is built in",
                          {{"cifar10", "cifar10"},
                           {"cifar100", "cifar100"},
                           {"shapes", "shapes"},
                           {"image-folder", "image-folder"}});
  group.text(
      "data-dir", "DIR", &Options::data_dir,
      "CIFAR: the folder of the binary files, or its parent; image-folder: DIR/{train,val}/CLASS/*, or a "
      "pack (data pack)");
  group.text("val-dir", "DIR", &Options::val_dir,
             "image-folder: test images, by class or with a labels.txt, instead of DIR/val");
  group.number("image-size", &Options::image_size,
               "image-folder: height and width; auto: 224, and 299 for inception-resnet-v2", {{"auto", 0}});
  group.number("train-images", &Options::train_images,
               "Train on N images only: the first, of image-folder evenly spread", {{"all", 0}});
  group.word<Augment>(
      "augment", &Options::augment,
      "Of training images. standard: flip and crop, of image-folder goyal; goyal, inception: crop "
      "of any size, and the evaluation that belongs to it",
      {{"standard", Augment::standard},
       {"goyal", Augment::goyal},
       {"inception", Augment::inception},
       {"none", Augment::none}});
  group.word<BadImages>(
      "bad-images", &Options::bad_images,
      "image-folder: pictures that cannot be decoded end the run; or all are checked first, and "
      "such are left out, or replaced by others of their classes",
      {{"fail", BadImages::fail}, {"skip", BadImages::skip}, {"substitute", BadImages::substitute}});
  group.word("shuffle", &Options::shuffle, "A new order of the images each epoch, or that of the files",
             kOnOff);
  group.number("seed", &Options::seed, "Of the initial weights, the order and the augmentation");
  group.text("init", "RUN|FILE", &Options::init,
             "Start from the weights and running statistics of a checkpoint, or of a file from PyTorch");
}

void list_schedule(Group group) {
  group.number("epochs", &Options::epochs, "Length of the run");
  group.number("batch", &Options::batch, "Images in an update, at first; a multiple of the ghost batch");
  group.number("ghost-batch", &Options::ghost_batch, "Images that batch norm normalises over");
  group.number("learning-rate", &Options::learning_rate, "Initial learning rate");
  group.word<BaseSchedule>("schedule", &Options::schedule, "How the learning rate decays without an exchange",
                           {{"step", BaseSchedule::step},
                            {"cosine", BaseSchedule::cosine},
                            {"linear", BaseSchedule::linear},
                            {"constant", BaseSchedule::constant}});
  group.list("milestones", &Options::milestones,
             "step: epochs at which it is divided by the factor, or none");
  group.number("factor", &Options::factor, "step: what it is divided by; hybrid: what the batch grows by");
  group.number("warmup-epochs", &Options::warmup_epochs, "It first rises linearly over so many epochs");
  group.word<Exchange>("exchange", &Options::exchange,
                       "Grow the batch instead of decaying: never, once, or all along",
                       {{"none", Exchange::none}, {"hybrid", Exchange::hybrid}, {"batch", Exchange::batch}});
  group.word<ExchangeRule>("exchange-rule", &Options::exchange_rule,
                           "Batch x k is worth learning rate x k, or x sqrt(k) (for Adam)",
                           {{"linear", ExchangeRule::linear}, {"sqrt", ExchangeRule::square_root}});
  group.number("max-batch", &Options::max_batch, "Where growth ends and decay takes over", {{"none", 0}});
  group.word<EpochEdge>("epoch-edge", &Options::epoch_edge,
                        "A batch may reach into the next epoch, or an epoch's remainder is dropped",
                        {{"straddle", EpochEdge::straddle}, {"drop", EpochEdge::drop}});
}

void list_optimizer(Group group) {
  group.word<OptimizerKind>("optimizer", &Options::optimizer, "The rule of the update",
                            {{"sgd", OptimizerKind::sgd},
                             {"momentum", OptimizerKind::momentum},
                             {"nesterov", OptimizerKind::nesterov},
                             {"adam", OptimizerKind::adam}});
  group.number("momentum", &Options::momentum, "Of momentum and nesterov");
  group.number("beta1", &Options::beta1, "Of adam: decay of the first moment");
  group.number("beta2", &Options::beta2, "Of adam: decay of the second moment");
  group.number("epsilon", &Options::epsilon, "Of adam: added to the root of the second moment");
  group.number("weight-decay", &Options::weight_decay, "L2: gradient + weight decay x weight");
  group.flag("no-decay-norm", &Options::no_decay_norm, "No weight decay on scale and shift of batch norm");
  group.number("label-smoothing", &Options::label_smoothing, "Share of the target spread over all classes");
  group.word<RunningStatistics>(
      "running-statistics", &Options::running_statistics,
      "Running mean and variance: updated by each ghost in turn, or by the mean of an update's ghosts",
      {{"sequential", RunningStatistics::sequential}, {"mean", RunningStatistics::mean_of_ghosts}});
}

void list_machine(Group group) {
  group.text("device", "cpu|cuda|cuda:N", &Options::device, "What computes: the processor, or a GPU");
  group.word<Precision>("precision", &Options::precision,
                        "Of activations and products on a GPU; parameters and sums are fp32",
                        {{"fp32", Precision::fp32}, {"tf32", Precision::tf32}, {"bf16", Precision::bf16}});
  group.number("micro-batch", &Options::micro_batch, "Images computed at once: memory and speed, not results",
               {{"auto", 0}});
  group.number("threads", &Options::threads, "auto: one a core; changes speed, not results", {{"auto", 0}});
  group.word<ConvolutionAlgorithm>(
      "convolution", &Options::convolution,
      "3x3 ones, and 1x3, 1x7 and their like, by Winograd's algorithm: where it is faster, always, never. On "
      "a GPU, by cuDNN (auto) or, in bf16, own kernels",
      {{"auto", ConvolutionAlgorithm::automatic},
       {"winograd", ConvolutionAlgorithm::winograd},
       {"direct", ConvolutionAlgorithm::direct},
       {"own", ConvolutionAlgorithm::own}});
  group.word<InstructionSet>(
      "instruction-set", &Options::instruction_set,
      "Of the processor; auto: the best it has, or the one a resumed run was begun with",
      {{"auto", InstructionSet::automatic},
       {"avx512", InstructionSet::avx512},
       {"avx2", InstructionSet::avx2},
       {"generic", InstructionSet::generic}});
  group.number("loader-threads", &Options::loader_threads, "Background threads that prepare images");
  group.word("noise-scale", &Options::noise_scale,
             "Measure the gradient noise scale B_simple: another pass over the gradients a ghost batch",
             kOnOff);
}

void list_run(Group group) {
  group.text("run-dir", "DIR", &Options::run_dir, "Where configuration, metrics and checkpoints go");
  group.flag("resume", &Options::resume, "Continue the run from its newest checkpoint");
  group.number("max-updates", &Options::max_updates, "Stop after update N of the run; 0: only save the start",
               {{"all", -1}});
  group.number("eval-every", &Options::eval_every, "Epochs between evaluations; 0: only at the end");
  group.number("checkpoint-every", &Options::checkpoint_every, "Updates between checkpoints; auto: an epoch",
               {{"auto", 0}});
  group.number("keep", &Options::keep, "Newest checkpoints that are kept");
  group.flag("quiet", &Options::quiet, "Print warnings and errors only");
}

}  // namespace

const std::vector<OptionField>& option_fields() {
  static const std::vector<OptionField> fields = [] {
    std::vector<OptionField> list;
    list_data({list, "Model and data"});
    list_schedule({list, "Schedule"});
    list_optimizer({list, "Optimizer"});
    list_machine({list, "Machine"});
    list_run({list, "Run"});
    return list;
  }();
  return fields;
}

}  // namespace crescendo

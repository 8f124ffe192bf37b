// The list of all options, and the reading and writing of each kind.
#include "trainer/options/option_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

#include "base/check.h"
#include "kernels/convolution_names.h"

namespace crescendo {

namespace {

// Words with their values: the names of an enumeration, or words for special numbers, such as "auto" for 0.
template <class T>
using Words = std::vector<std::pair<std::string, T>>;

template <class T>
std::string names_of(const Words<T>& words) {
  std::string names;
  for (const auto& [word, value] : words) names += (names.empty() ? "" : "|") + word;
  return names;
}

// Returns the word of a value; empty if it has none.
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

// Adds the options of one group of the help text to the list.
class Group {
 public:
  Group(std::vector<OptionField>& fields, std::string name) : fields_(fields), name_(std::move(name)) {}

  // Adds an option whose value is a number. `words` name numbers with a meaning of their own: {"auto", 0}.
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
          for (size_t begin = 0; !text.empty() && text != "none" && begin <= text.size();) {
            const size_t comma = std::min(text.find(',', begin), text.size());
            const std::string part = text.substr(begin, comma - begin);
            const size_t first = std::min(part.find_first_not_of(' '), part.size());
            values.push_back(
                parse_number<double>(name, part.substr(first), "numbers with commas between them"));
            begin = comma + 1;
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
  group.text(
      "model", "NAME", &Options::model,
      "Network: wrn-D-W (wide ResNet of depth D = 6n+4 and width W), resnet-18, -34, -50, -101, -152, or "
      "inception-resnet-v2");
  group.word("zero-gamma", &Options::zero_gamma,
             "resnet: initialise the scale of each residual block's last norm to zero", kOnOff);
  group.word("norm-scale", &Options::norm_scale, "inception-resnet-v2: give the norms a trained scale",
             kOnOff);
  group.number("auxiliary-weight", &Options::auxiliary_weight,
               "inception-resnet-v2: weight of an auxiliary head's loss, usually 0.4; none: no such head",
               {{"none", 0.0}});
  group.word<std::string>("data", &Options::data, "Data set; shapes is built in",
                          {{"cifar10", "cifar10"},
                           {"cifar100", "cifar100"},
                           {"shapes", "shapes"},
                           {"image-folder", "image-folder"}});
  group.text("data-dir", "DIR", &Options::data_dir,
             "Data folder. CIFAR: the folder of the binary files, or its parent. image-folder: "
             "DIR/{train,val}/CLASS/*, or a pack made by crescendo data pack");
  group.text(
      "val-dir", "DIR", &Options::val_dir,
      "image-folder: folder of the test images, by class or with a labels.txt; default: val in --data-dir");
  group.number("image-size", &Options::image_size,
               "image-folder: height and width in pixels; auto is 224, or 299 for inception-resnet-v2",
               {{"auto", 0}});
  group.number("train-images", &Options::train_images,
               "Number of training images: the first N, or for image-folder N spread evenly", {{"all", 0}});
  group.word<Augment>(
      "augment", &Options::augment,
      "Augmentation of training images. standard: flip and crop (for image-folder: goyal); goyal, "
      "inception: crops of random size and aspect ratio, with the evaluation crop that belongs to each",
      {{"standard", Augment::standard},
       {"goyal", Augment::goyal},
       {"inception", Augment::inception},
       {"none", Augment::none}});
  group.word<BadImages>(
      "bad-images", &Options::bad_images,
      "image-folder: treatment of pictures that cannot be decoded. fail: the first one ends the run; "
      "skip: leave them out; substitute: replace them by others of their class. The last two check all "
      "pictures first",
      {{"fail", BadImages::fail}, {"skip", BadImages::skip}, {"substitute", BadImages::substitute}});
  group.word("shuffle", &Options::shuffle,
             "Draw a new order of the images each epoch; off: the order of the files", kOnOff);
  group.number("seed", &Options::seed, "Seed of the initial weights, the data order and the augmentation");
  group.text("init", "RUN|FILE", &Options::init,
             "Start from the weights and running statistics of a run, a checkpoint or a PyTorch file");
}

void list_schedule(Group group) {
  group.number("epochs", &Options::epochs, "Length of the run in epochs");
  group.number("batch", &Options::batch,
               "Initial batch: number of images per update; a multiple of the ghost batch");
  group.number("ghost-batch", &Options::ghost_batch,
               "Ghost batch: number of images over which batch norm computes its statistics");
  group.number("learning-rate", &Options::learning_rate, "Initial learning rate");
  group.word<BaseSchedule>("schedule", &Options::schedule, "Decay of the learning rate, before any exchange",
                           {{"step", BaseSchedule::step},
                            {"cosine", BaseSchedule::cosine},
                            {"linear", BaseSchedule::linear},
                            {"constant", BaseSchedule::constant}});
  group.list("milestones", &Options::milestones,
             "step: epochs at which the learning rate is divided by --factor; or none");
  group.number(
      "factor", &Options::factor,
      "Divisor of the learning rate at a milestone, or with an exchange the growth of the batch; above 1");
  group.number("warmup-epochs", &Options::warmup_epochs,
               "Warm-up: epochs over which the learning rate first rises linearly from 0");
  group.word<Exchange>(
      "exchange", &Options::exchange,
      "Grow the batch instead of decaying the learning rate: never (none), at the first decay only "
      "(hybrid), or at every decay (batch)",
      {{"none", Exchange::none}, {"hybrid", Exchange::hybrid}, {"batch", Exchange::batch}});
  group.word<ExchangeRule>(
      "exchange-rule", &Options::exchange_rule,
      "Growth of the learning rate that goes with a k times larger batch: k (linear, for SGD) or sqrt(k) "
      "(sqrt, for Adam)",
      {{"linear", ExchangeRule::linear}, {"sqrt", ExchangeRule::square_root}});
  group.number("max-batch", &Options::max_batch,
               "Largest batch, a multiple of the ghost batch; beyond it the learning rate decays. none: the "
               "training set",
               {{"none", 0}});
  group.word<EpochEdge>(
      "epoch-edge", &Options::epoch_edge,
      "At the end of an epoch: let a batch reach into the next epoch (straddle), or drop the images "
      "that do not fill a batch (drop)",
      {{"straddle", EpochEdge::straddle}, {"drop", EpochEdge::drop}});
}

void list_optimizer(Group group) {
  group.word<OptimizerKind>("optimizer", &Options::optimizer,
                            "Optimizer: plain SGD, momentum, Nesterov momentum or Adam",
                            {{"sgd", OptimizerKind::sgd},
                             {"momentum", OptimizerKind::momentum},
                             {"nesterov", OptimizerKind::nesterov},
                             {"adam", OptimizerKind::adam}});
  group.number("momentum", &Options::momentum,
               "momentum, nesterov: momentum coefficient; at least 0 and less than 1");
  group.number("beta1", &Options::beta1, "adam: decay rate of the first moment");
  group.number("beta2", &Options::beta2, "adam: decay rate of the second moment");
  group.number("epsilon", &Options::epsilon, "adam: added to the square root of the second moment");
  group.number("weight-decay", &Options::weight_decay,
               "Weight decay (L2): adds X times the weight to its gradient");
  group.flag("no-decay-norm", &Options::no_decay_norm,
             "Exclude the scale and shift of batch norm from weight decay");
  group.number("label-smoothing", &Options::label_smoothing,
               "Label smoothing: share of the target that is spread over all classes");
  group.word<RunningStatistics>(
      "running-statistics", &Options::running_statistics,
      "Update of the running mean and variance: by each ghost batch in turn (sequential), or once per "
      "update by the mean over its ghost batches (mean)",
      {{"sequential", RunningStatistics::sequential}, {"mean", RunningStatistics::mean_of_ghosts}});
  group.word<bool>(
      "gradient-sum", &Options::exact_sum,
      "Sums over the ghost batches of an update: in 64-bit integers, without rounding (exact), or rounded "
      "after each addition (float)",
      {{"exact", true}, {"float", false}});
}

void list_machine(Group group) {
  group.text("device", "cpu|cuda|cuda:N", &Options::device,
             "Device to compute on: the processor, GPU N, or with cuda each worker's own GPU");
  group.word<Precision>(
      "precision", &Options::precision,
      "Precision of activations and matrix products on a GPU; parameters and sums stay fp32",
      {{"fp32", Precision::fp32}, {"tf32", Precision::tf32}, {"bf16", Precision::bf16}});
  group.number(
      "micro-batch", &Options::micro_batch,
      "Micro-batch: number of images per forward and backward pass; a multiple of the ghost batch. auto: "
      "one ghost batch, or on a GPU as many as fit. Affects memory and speed, never results",
      {{"auto", 0}});
  group.number(
      "threads", &Options::threads,
      "Threads that compute. auto: OMP_NUM_THREADS, or one per core that this process may use. Affects "
      "speed, never results",
      {{"auto", 0}});
  group.word<ConvolutionAlgorithm>(
      "convolution", &Options::convolution,
      "Convolution algorithm. On the processor, for 3x3 and 1xN filters: Winograd where it is faster (auto), "
      "always (winograd) or never (direct). On a GPU: cuDNN (auto), or in bf16 our own kernels (own)",
      {kConvolutionNames.begin(), kConvolutionNames.end()});
  group.word<InstructionSet>(
      "instruction-set", &Options::instruction_set,
      "Instruction set of the CPU kernels; auto is the best the processor has, or for --resume the run's own",
      {{"auto", InstructionSet::automatic},
       {"avx512", InstructionSet::avx512},
       {"avx2", InstructionSet::avx2},
       {"generic", InstructionSet::generic}});
  group.number("loader-threads", &Options::loader_threads,
               "Background threads that load and augment images; 0 loads in the foreground");
  group.word(
      "noise-scale", &Options::noise_scale,
      "Measure the gradient noise scale B_simple. Each ghost batch costs one more pass over the gradients, "
      "or two with --gradient-sum float",
      kOnOff);
  group.number("workers", &Options::workers,
               "Workers: number of processes that share each update, as started by mpirun, srun or crescendo "
               "launch. auto: as many as were started; other numbers check this",
               {{"auto", 0}});
  group.word("balance", &Options::balance,
             "Give slower workers fewer ghost batches, as measured in each update. Changes no result",
             kOnOff);
  group.number("verify-every", &Options::verify_every,
               "Updates after which each of several workers repeats a ghost batch of the next one, to find a "
               "machine that computes wrongly; none: never",
               {{"none", 0}});
}

void list_run(Group group) {
  group.text("run-dir", "DIR", &Options::run_dir,
             "Run folder for configuration, metrics, checkpoints and report; default: runs/MODEL-DATA-TIME");
  group.flag(
      "resume", &Options::resume,
      "Continue the run in --run-dir from its newest checkpoint, with its options unless others are given");
  group.number("max-updates", &Options::max_updates,
               "Stop after update N of the run; 0 only saves the initial state", {{"all", -1}});
  group.number("eval-every", &Options::eval_every, "Epochs between evaluations; 0 evaluates only at the end");
  group.number("checkpoint-every", &Options::checkpoint_every,
               "Updates between checkpoints; auto is about one epoch, at most 10 minutes", {{"auto", 0}});
  group.number("keep", &Options::keep, "Number of newest checkpoints to keep; 1 or more");
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

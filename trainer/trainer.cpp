#include "trainer/trainer.h"

#include <fmt/format.h>

#include <algorithm>

#include "trainer/options/option_table.h"
#include "trainer/resume.h"

namespace crescendo {
namespace {

constexpr int64_t kTrainLinesPerEpoch = 20;
constexpr auto kLongestWithoutCheckpoint = std::chrono::minutes(10);

std::unique_ptr<Model> open_model(const TrainOptions& options, const Dataset& data, const Device& device) {
  auto model = make_model(
      options.model,
      model_options(options, static_cast<int64_t>(data.class_names().size()), data.image_size().channels));
  model->parameters.allocate(device);
  model->parameters.initialise(options.seed);
  return model;
}

DatasetTraits traits_of(const TrainingData& data) {
  return {.image_size = data.train->image_size(),
          .classes = static_cast<int64_t>(data.train->class_names().size()),
          .train_images = data.train->size(),
          .test_images = data.test->size()};
}

void add_notes(Facts& facts, const std::string& name, const std::vector<DatasetNote>& notes) {
  std::string text;
  for (const DatasetNote& note : notes)
    text += fmt::format("{}:\n{}\n", note.text, fmt::join(note.lines, "\n"));
  if (!text.empty()) facts.emplace_back(name, text);
}

SampleRange samples_of(const Update& update) { return {update.first, update.setting.batch}; }

// Returns how often something was due after `samples` if it is due once every `grid` samples.
int64_t steps(SamplesSeen samples, int64_t grid) { return samples / std::max<int64_t>(grid, 1); }

}  // namespace

TrainingData open_training_data(const TrainOptions& options) {
  const DatasetOptions data = dataset_options(options);
  TrainingData opened;
  opened.test = make_dataset(data, Split::test);
  opened.train = make_dataset(data, Split::train);
  return opened;
}

Trainer::Trainer(const TrainOptions& options, const TrainingData& data, const Device& device,
                 Progress& progress, const Facts& facts)
    : options_(options),
      progress_(progress),
      device_(device),
      traits_(traits_of(data)),
      micro_batch_(micro_batch_size(options_, device_, traits_)),
      memory_(training_memory(options_, device_, traits_, micro_batch_)),
      train_data_(device_, data.train),
      test_data_(device_, data.test),
      schedule_(schedule_options(options, data.train->size())),
      timeline_(schedule_),
      model_(open_model(options, *data.train, device_)),
      optimizer_(options, model_->parameters),
      gradients_(options_, micro_batch_, *model_, data.train->image_size(), device_,
                 [this] { return open_batches(); }),
      folder_(options.run_dir, options.resume, [&progress](const std::string& line) { progress.warn(line); }),
      log_([&progress](const std::string& line) { progress.warn(line); }),
      saved_{.time = Clock::now()} {
  if (const auto checkpoint = folder_.newest_checkpoint()) {
    resume_from(*checkpoint);
  } else {
    if (!options.init.empty())
      load_weights(resolve_checkpoint(options.init, [&](const std::string& line) { progress_.warn(line); }),
                   model_->parameters);
    folder_.write_config(config_text(options_));
  }
  Facts all = facts;
  all.emplace_back("device", device_.backend().name());
  all.emplace_back("instruction set", name_of(options_.instruction_set));
  all.emplace_back("data", options.data);
  all.emplace_back("train data digest", data.train->digest());
  all.emplace_back("test data digest", data.test->digest());
  add_notes(all, "train data notes", data.train->notes());
  add_notes(all, "test data notes", data.test->notes());
  folder_.add_start(all);
  metrics_ = std::make_unique<MetricsWriter>(folder_.metrics_path());
  log_.add(*metrics_);
  log_.add(progress_);
}

void Trainer::resume_from(const std::string& checkpoint) {
  const CheckpointInfo info = read_checkpoint_info(checkpoint);
  require_same_run(info.config, options_, checkpoint);
  require(info.class_names == train_data_.dataset().class_names(), "--resume: ", checkpoint,
          " was trained on other classes than those of ", options_.data);
  const TrainOptions saved = options_of_checkpoint(info.config, checkpoint);
  if (saved.instruction_set != InstructionSet::automatic &&  // in checkpoints from before this option
      saved.instruction_set != options_.instruction_set)
    progress_.warn(fmt::format("warning: {} was trained with {}: {} rounds slightly otherwise", checkpoint,
                               name_of(saved.instruction_set), name_of(options_.instruction_set)));
  if (saved.device != options_.device || saved.precision != options_.precision)
    progress_.warn(fmt::format("warning: {} was trained on {} in {}: {} in {} rounds otherwise", checkpoint,
                               saved.device, name_of(saved.precision), options_.device,
                               name_of(options_.precision)));
  TrainingState loaded = state();
  load_verified_checkpoint(checkpoint, loaded);  // newest_checkpoint() verified it
  counters_ = loaded.info.counters;
  restore_extra(loaded.info);
  saved_ = {counters_.updates, counters_.samples_seen, evaluated_at_, Clock::now()};
  progress_.say(
      fmt::format("resuming {} after update {} (epoch {:.2f})", checkpoint, counters_.updates, epoch()));
}

void Trainer::announce() const {
  if (options_.threads > allowed_cores())
    progress_.warn(fmt::format("warning: --threads {} is more than the {} cores that this process may use",
                               options_.threads, allowed_cores()));
  const Dataset &train = train_data_.dataset(), &test = test_data_.dataset();
  progress_.say("run folder: " + options_.run_dir);
  for (const Dataset* set : {&train, &test})
    for (const DatasetNote& note : set->notes())
      progress_.warn(fmt::format("{}, e.g. {}", note.text, note.lines.front()));
  progress_.say(
      fmt::format("{} ({} parameters) on {}: {} training and {} test images; micro-batch {}, {:.0f} MiB",
                  options_.model, model_->parameters.parameter_count(), options_.data, train.size(),
                  test.size(), micro_batch_, static_cast<double>(memory_.peak_bytes) / (1 << 20)));
}

template <class Event>
Event Trainer::event_now() const {
  Event event;
  event.samples = counters_.samples_seen;
  event.updates = counters_.updates;
  return event;
}

void Trainer::log_end(const std::string& reason) {
  auto event = event_now<EndMetrics>();
  event.reason = reason;
  log_.write(event);
}

TrainResult Trainer::run() {
  TrainResult result;
  announce();
  log_.write(event_now<StartMetrics>());
  try {
    result = train();
  } catch (const NonFiniteError& error) {
    counters_.updates -= error.updates_not_made;
    counters_.samples_seen = error.update.first;
    log_end("non-finite");
    throw;
  }
  log_end(result.reason);
  return result;
}

Measurement Trainer::measured() const {
  const NoiseMeasurement* noise = gradients_.noise();
  return {.noise_scale = noise != nullptr ? noise->scale().value() : std::nullopt};
}

void Trainer::decide_next() { next_ = timeline_.next(counters_.samples_seen, measured()); }

bool Trainer::next_is_wanted() const {
  return next_ && (options_.max_updates < 0 || counters_.updates < options_.max_updates);
}

TrainResult Trainer::train() {
  gradients_.start(resumed_);
  decide_next();
  if (device_.backend().capabilities().is_host) others_.emplace();
  const auto stopped = [&] { return signals_.received() != 0; };
  while (!stopped()) {
    if (evaluation_due(!next_)) evaluate_now();
    if (stopped() || !next_is_wanted()) break;
    const Update update = *next_;  // run_update() decides the next one
    run_update(update);
    if (checkpoint_due() && next_is_wanted()) save();
  }
  TrainResult result;
  result.signal = signals_.received();
  if (stopped())
    result.reason = fmt::format("stopped by {}", result.signal == SIGINT ? "SIGINT" : "SIGTERM");
  else
    result.reason = next_ ? "reached --max-updates" : "finished";
  if (counters_.updates != saved_.updates || evaluated_at_ != saved_.evaluated_at) save();
  folder_.rotate(options_.keep);
  require(!save_failed_, "the run's last state could not be saved in ", folder_.path());
  result.counters = counters_;
  result.evaluation = evaluation_;
  return result;
}

std::unique_ptr<Batches> Trainer::open_batches() const {
  return train_data_.batches({.shuffle = options_.shuffle,
                              .seed = options_.seed,
                              .chunk = options_.ghost_batch,
                              .workers = options_.loader_threads},
                             micro_batch_);
}

void Trainer::run_update(const Update& update) {
  const Clock::time_point start = Clock::now();
  gradients_.begin(samples_of(update));
  MicroBatches micro_batches(samples_of(update), micro_batch_);
  while (const std::optional<SampleRange> range = micro_batches()) {
    gradients_.add(*range);
    const SamplesSeen seen = range->first + range->count;
    if (progress_.advance(seen, update.setting.batch)) show_progress(update, seen);
  }
  const Tensor& sums = gradients_.finish();
  optimizer_.step(update.setting, counters_.updates + 1, sums, gradients_.counters());
  note_update(update, start);
}

void Trainer::show_progress(const Update& update, SamplesSeen seen) {
  const SampleSums& window = gradients_.read();
  const auto images = static_cast<double>(schedule_.train_images);
  progress_.show({.samples = seen,
                  .total_samples = static_cast<int64_t>(schedule_.epochs * images),
                  .epoch = static_cast<double>(seen) / images,
                  .epochs = schedule_.epochs,
                  .update = counters_.updates + 1,
                  .batch = update.setting.batch,
                  .learning_rate = update.setting.learning_rate,
                  .loss = window.loss / static_cast<double>(window.samples)});
}

void Trainer::note_update(const Update& update, Clock::time_point start) {
  const int64_t grid = (schedule_.train_images + kTrainLinesPerEpoch - 1) / kTrainLinesPerEpoch;
  const int64_t lines_before = steps(counters_.samples_seen, grid);
  counters_.samples_seen = update.end();
  ++counters_.updates;
  decide_next();
  const bool line_due = steps(counters_.samples_seen, grid) > lines_before || !next_;
  if (line_due) gradients_.read();  // waits for the device: part of the time measured
  const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
  counters_.seconds += seconds;
  window_seconds_ += seconds;
  if (line_due) write_train_line(update);
  warn_of_other_programs();
}

void Trainer::warn_of_other_programs() {
  constexpr double kSeconds = 10, kMuch = 0.25;  // of the cores
  if (!others_ || others_->seconds() < kSeconds) return;
  const double busy = others_->busy_cores().value_or(0);
  others_.reset();
  if (busy < kMuch * allowed_cores()) return;
  progress_.warn(fmt::format(
      "warning: other programs keep {:.1f} of the {} cores busy that this one may use, and slow it down",
      busy, allowed_cores()));
}

void Trainer::write_train_line(const Update& update) {
  const SampleSums& window = gradients_.sums();
  const auto samples = static_cast<double>(window.samples);
  const Setting& setting = update.setting;
  auto line = event_now<TrainMetrics>();
  line.epoch = epoch();
  line.learning_rate = setting.learning_rate;
  line.momentum = setting.momentum;
  line.batch = setting.batch;
  line.loss = window.loss / samples;
  line.accuracy = static_cast<double>(window.correct) / samples;
  line.images_per_second = samples / window_seconds_;
  line.seconds = counters_.seconds;
  line.noise_scale = noise_scale(setting, schedule_.train_images);
  if (const NoiseMeasurement* noise = gradients_.noise()) line.measured_noise_scale = noise->scale().value();
  log_.write(line);
  gradients_.reset();
  window_seconds_ = 0;
}

bool Trainer::evaluation_due(bool at_end) const {
  if (counters_.samples_seen == evaluated_at_) return false;
  if (at_end) return true;
  if (options_.eval_every == 0) return false;
  const auto grid = static_cast<int64_t>(options_.eval_every * static_cast<double>(schedule_.train_images));
  return steps(counters_.samples_seen, grid) > steps(evaluated_at_, grid);
}

void Trainer::evaluate_now() {
  gradients_.read();
  const auto evaluation = evaluate(*model_, test_data_,
                                   {.micro_batch = micro_batch_,
                                    .loader_threads = options_.loader_threads,
                                    .stop = [&] { return signals_.received() != 0; },
                                    .progress = {}});
  if (!evaluation) return;  // stopped: due again after a resume
  evaluation_ = evaluation;
  evaluated_at_ = counters_.samples_seen;
  auto line = event_now<EvaluateMetrics>();
  line.epoch = epoch();
  line.loss = evaluation->loss;
  line.accuracy = evaluation->accuracy();
  line.correct = evaluation->correct;
  line.total = evaluation->total;
  line.seconds = counters_.seconds;
  log_.write(line);
}

bool Trainer::checkpoint_due() const {
  if (save_failed_) return true;
  if (options_.checkpoint_every > 0) return counters_.updates % options_.checkpoint_every == 0;
  return steps(counters_.samples_seen, schedule_.train_images) >
             steps(saved_.samples, schedule_.train_images) ||
         Clock::now() - saved_.time > kLongestWithoutCheckpoint;
}

void Trainer::save() {
  gradients_.read();
  const std::optional<std::string> failure = folder_.save(state(), options_.keep);
  save_failed_ = failure.has_value();
  if (failure) {
    progress_.warn(*failure + "; training goes on, and saving is tried again after the next update");
    return;
  }
  saved_ = {counters_.updates, counters_.samples_seen, evaluated_at_, Clock::now()};
}

double Trainer::epoch() const {
  return static_cast<double>(counters_.samples_seen) / static_cast<double>(schedule_.train_images);
}

}  // namespace crescendo

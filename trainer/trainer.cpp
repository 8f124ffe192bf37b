#include "trainer/trainer.h"

#include <fmt/format.h>

#include <algorithm>

#include "trainer/options/option_table.h"
#include "trainer/resume.h"
#include "trainer/workers/replicas.h"
#include "trainer/workers/roll_call.h"
#include "trainer/workers/share.h"
#include "trainer/workers/together.h"
#include "trainer/workers/verification.h"

namespace crescendo {
namespace {

constexpr int64_t kTrainLinesPerEpoch = 20;
constexpr auto kLongestWithoutCheckpoint = std::chrono::minutes(10);
constexpr int64_t kUpdatesPerComparison = 100;  // of the workers' replicas
// The longest that a worker may be busy without others hearing of it.
constexpr double kLongestUpdate = 60, kLongestTask = 600;  // seconds

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

// Sets of the same contents have the same text. (A digest may take a while: a folder's needs the size of each file.)
std::string contents_of(const Dataset& set) {
  return fmt::format("{} images with digest {}", set.size(), set.digest());
}

void add_notes(Facts& facts, const std::string& name, const std::vector<DatasetNote>& notes) {
  std::string text;
  for (const DatasetNote& note : notes)
    text += fmt::format("{}:\n{}\n", note.text, fmt::join(note.lines, "\n"));
  if (!text.empty()) facts.emplace_back(name, text);
}

SampleRange samples_of(const Update& update) { return {update.first, update.setting.batch}; }

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

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
                 Progress& progress, const Facts& facts, Communicator& workers)
    : options_(options),
      progress_(progress),
      device_(device),
      traits_(traits_of(data)),
      micro_batch_(micro_batch_size(options_, device_, traits_)),
      memory_(training_memory(options_, device_, traits_, micro_batch_)),
      train_data_(device_, data.train),
      test_data_(device_, data.test),
      train_contents_(contents_of(*data.train)),
      test_contents_(contents_of(*data.test)),
      schedule_(schedule_options(options, data.train->size())),
      timeline_(schedule_),
      model_(open_model(options, *data.train, device_)),
      optimizer_(options, model_->parameters),
      workers_(workers),
      gradients_(
          options_, micro_batch_, *model_, data.train->image_size(), device_,
          [this] { return open_batches(); }, workers_),
      facts_(facts),
      log_([&progress](const std::string& line) { progress.warn(line); }),
      slow_workers_(workers.size()),
      balance_(workers.size()),
      saved_{.time = Clock::now()} {
  facts_.emplace_back("device", device_.backend().name());
  facts_.emplace_back("instruction set", name_of(options_.instruction_set));
  facts_.emplace_back("data", options.data);
  facts_.emplace_back("train data", train_contents_);
  facts_.emplace_back("test data", test_contents_);
  add_notes(facts_, "train data notes", data.train->notes());
  add_notes(facts_, "test data notes", data.test->notes());
  if (is_first()) open_folder();
}

void Trainer::open_folder() {
  const auto warn = [this](const std::string& line) { progress_.warn(line); };
  folder_.emplace(options_.run_dir, options_.resume, warn);
  if (const auto checkpoint = folder_->newest_checkpoint())
    resume_from(*checkpoint);
  else if (!options_.init.empty())
    load_weights(resolve_checkpoint(options_.init, warn), model_->parameters);
}

void Trainer::resume_from(const std::string& checkpoint) {
  const CheckpointInfo info = read_checkpoint_info(checkpoint);
  require_same_run(info.config, options_, checkpoint);
  require(info.class_names == train_data_.dataset().class_names(), "--resume: ", checkpoint,
          " was trained on other classes than those of ", options_.data);
  compare_data(info, checkpoint);
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

// Compares what the workers compute before anything is written.
void Trainer::compare_first_ghost() {
  if (workers_.size() == 1) return;
  uint64_t digest = 0;
  together(workers_, [&] { digest = gradients_.digest_of_sums({0, options_.ghost_batch}); });
  call_roll(workers_,
            {{"the gradient of the first ghost batch has the digest", fmt::format("{:016x}", digest)}});
}

void Trainer::begin_record() {
  if (saved_.updates < 0) folder_->write_config(config_text(options_));
  if (workers_.size() > 1) facts_.emplace_back("workers", std::to_string(workers_.size()));
  folder_->add_start(facts_);
  metrics_ = std::make_unique<MetricsWriter>(folder_->metrics_path());
  log_.add(*metrics_);
  log_.add(progress_);
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
  if (workers_.size() == 1) return;
  const std::string communicator = workers_.library(), exchange = gradients_.exchange()->library();
  progress_.say(fmt::format("{} workers ({}){}", workers_.size(), communicator,
                            exchange == communicator ? "" : ", sums by " + exchange));
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
  workers_.note("the start of the run", kLongestTask);
  share_state();
  gradients_.connect();
  compare_first_ghost();
  together(workers_, [&] {
    if (is_first()) begin_record();
  });
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
  // The other workers of this machine would count as other programs.
  if (device_.backend().capabilities().is_host && workers_.size() == 1) others_.emplace();
  meet();
  while (agreed_.signal == 0) {
    if (evaluation_due(!next_)) evaluate_now();
    if (agreed_.signal != 0 || !next_is_wanted()) break;
    const Update update = *next_;  // run_update() decides the next one
    run_update(update);
    meet();
    if (agreed_.save_due && next_is_wanted()) save();
  }
  TrainResult result;
  result.signal = agreed_.signal;
  if (result.signal != 0)
    result.reason = fmt::format("stopped by {}", name_of_signal(result.signal));
  else
    result.reason = next_ ? "reached --max-updates" : "finished";
  end_saving();
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

SampleRange Trainer::share_of_worker(const Update& update) const {
  const SampleRange whole = samples_of(update);
  if (!options_.balance) return share_of(whole, options_.ghost_batch, workers_);
  return share_of(whole, options_.ghost_batch, balance_.shares(whole.count / options_.ghost_batch),
                  workers_.rank());
}

void Trainer::run_update(const Update& update) {
  const Clock::time_point start = Clock::now();
  const double usual = counters_.seconds / static_cast<double>(std::max<int64_t>(counters_.samples_seen, 1));
  workers_.note(fmt::format("update {}", counters_.updates + 1),
                std::max(kLongestUpdate, 20 * usual * static_cast<double>(update.setting.batch)));
  report_ = {};
  const SampleRange share = share_of_worker(update);
  gradients_.begin(samples_of(update), share);
  MicroBatches micro_batches(share, micro_batch_);
  while (const std::optional<SampleRange> range = micro_batches()) {
    gradients_.add(*range);
    const int64_t done = range->first + range->count - share.first;
    const SamplesSeen seen = update.first + done * update.setting.batch / share.count;
    note_signal(static_cast<double>(done) / static_cast<double>(share.count));
    if (progress_.advance(seen, update.setting.batch)) show_progress(update, seen);
  }
  report_.ghosts = share.count / options_.ghost_batch;
  report_.computed = seconds_since(start);
  const Tensor& sums = gradients_.finish();
  optimizer_.step(update.setting, counters_.updates + 1, sums, gradients_.counters());
  note_update(update, start);
  if (gradients_.exchange() != nullptr) report_.exchanged = gradients_.exchange()->waited();
  // A device computes while the host goes on: its own time is what it did not wait.
  if (!device_.backend().capabilities().is_host) report_.computed = seconds_since(start) - report_.exchanged;
}

// Tells the user, once, what a signal does.
void Trainer::note_signal(double done) {
  const int signal = signals_.received();
  if (signal == 0 || signal_noted_) return;
  signal_noted_ = true;
  const char* const again = signal == SIGINT    ? "; Ctrl-C again ends it at once, unsaved"
                            : signal == SIGTERM ? "; SIGTERM again ends it at once, unsaved"
                                                : "";
  progress_.warn(
      fmt::format("{}: the run saves its state and stops after update {}, {:.0f} % of which is done{}",
                  name_of_signal(signal), counters_.updates + 1, 100 * done, again));
}

// Tells the other workers about the last update, and learns what all do next.
void Trainer::meet() {
  report_.signal = signals_.received();
  report_.save_due = is_first() && counters_.updates > 0 && checkpoint_due();
  const std::vector<UpdateReport> reports = gather_values(workers_, report_);
  agreed_ = agree(reports);
  window_exchange_ += agreed_.exchange;
  window_waiting_ += agreed_.waiting;
  if (workers_.size() == 1) return;
  if (agreed_.show_due) gradients_.read();
  note_slow_worker(reports);
  balance_.note(reports);
  if (counters_.updates % kUpdatesPerComparison == 0)
    compare_replicas(workers_, digest(state()), counters_.updates);
  if (options_.verify_every > 0 && counters_.updates % options_.verify_every == 0) verify_neighbour();
}

// Each worker computes a ghost batch of its own and that of the next worker, with the same weights.
void Trainer::verify_neighbour() {
  const auto digest_of_ghost = [&](int worker) {
    return gradients_.digest_of_sums(
        {counters_.samples_seen + worker * options_.ghost_batch, options_.ghost_batch});
  };
  const SampleSums sums = gradients_.read();
  GhostDigests mine;
  together(workers_, [&] {
    mine = {.own = digest_of_ghost(workers_.rank()),
            .next = digest_of_ghost((workers_.rank() + 1) % workers_.size())};
  });
  gradients_.start(sums);
  compare_ghosts(workers_, mine, counters_.updates);
}

void Trainer::note_slow_worker(const std::vector<UpdateReport>& reports) {
  const auto slow = slow_workers_.note(reports);
  if (!slow) return;
  const std::string name = worker_names(workers_)[static_cast<size_t>(slow->rank)];
  progress_.warn(fmt::format("warning: {} takes {:.1f} times as long for a ghost batch as the others{}", name,
                             slow->factor,
                             options_.balance ? "" : ", who wait for it; --balance on gives it fewer"));
}

// Several workers may throw only where all do, so that the loss is that of the last agreement.
void Trainer::show_progress(const Update& update, SamplesSeen seen) {
  if (workers_.size() == 1) gradients_.read();
  report_.show_due = true;
  const SampleSums& window = gradients_.sums();
  if (window.samples > 0) loss_ = window.loss / static_cast<double>(window.samples);
  const auto images = static_cast<double>(schedule_.train_images);
  progress_.show({.samples = seen,
                  .total_samples = static_cast<int64_t>(schedule_.epochs * images),
                  .epoch = static_cast<double>(seen) / images,
                  .epochs = schedule_.epochs,
                  .update = counters_.updates + 1,
                  .batch = update.setting.batch,
                  .learning_rate = update.setting.learning_rate,
                  .loss = loss_});
}

void Trainer::note_update(const Update& update, Clock::time_point start) {
  const int64_t grid = (schedule_.train_images + kTrainLinesPerEpoch - 1) / kTrainLinesPerEpoch;
  const int64_t lines_before = steps(counters_.samples_seen, grid);
  counters_.samples_seen = update.end();
  ++counters_.updates;
  decide_next();
  const bool line_due = steps(counters_.samples_seen, grid) > lines_before || !next_;
  if (line_due) gradients_.read();  // waits for the device: part of the time measured
  const double seconds = seconds_since(start);
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
  if (workers_.size() > 1) {
    line.workers = workers_.size();
    line.exchange_seconds = window_exchange_;
    line.waiting_seconds = window_waiting_;
  }
  loss_ = line.loss;
  log_.write(line);
  gradients_.reset();
  window_seconds_ = window_exchange_ = window_waiting_ = 0;
}

bool Trainer::evaluation_due(bool at_end) const {
  if (counters_.samples_seen == evaluated_at_) return false;
  if (at_end) return true;
  if (options_.eval_every == 0) return false;
  const auto grid = static_cast<int64_t>(options_.eval_every * static_cast<double>(schedule_.train_images));
  return steps(counters_.samples_seen, grid) > steps(evaluated_at_, grid);
}

void Trainer::evaluate_now() {
  workers_.note("an evaluation", kLongestTask);
  gradients_.read();
  const auto evaluation = evaluate(*model_, test_data_,
                                   {.micro_batch = micro_batch_,
                                    .loader_threads = options_.loader_threads,
                                    .stop = [&] { return signals_.received() != 0; },
                                    .progress = {}},
                                   workers_);
  if (!evaluation) return meet();  // stopped: due again after a resume
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

// Saves what all workers agree on.
void Trainer::save() {
  workers_.note("a checkpoint", kLongestTask);
  gradients_.read();
  const TrainingState now = state();
  if (workers_.size() > 1) compare_replicas(workers_, digest(now), counters_.updates);
  if (!is_first()) return;
  const std::optional<std::string> failure = folder_->save(now, options_.keep);
  save_failed_ = failure.has_value();
  if (failure) {
    progress_.warn(*failure + "; training goes on, and saving is tried again after the next update");
    return;
  }
  saved_ = {counters_.updates, counters_.samples_seen, evaluated_at_, Clock::now()};
}

// Saves the run's last state unless it is saved already.
void Trainer::end_saving() {
  bool unsaved = counters_.updates != saved_.updates || evaluated_at_ != saved_.evaluated_at;
  broadcast_value(workers_, unsaved);
  if (unsaved) save();
  together(workers_, [&] {
    if (!is_first()) return;
    folder_->rotate(options_.keep);
    require(!save_failed_, "the run's last state could not be saved in ", folder_->path());
  });
}

double Trainer::epoch() const {
  return static_cast<double>(counters_.samples_seen) / static_cast<double>(schedule_.train_images);
}

}  // namespace crescendo

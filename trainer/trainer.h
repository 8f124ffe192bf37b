// One training run: it puts data, model, schedule and optimizer together, evaluates, logs and saves
// checkpoints. Everything that decides what is computed is a function of (options, samples seen, what was
// measured), so a run that was stopped and resumed ends in the same bits as one that was not.
#pragma once

#include <chrono>
#include <csignal>
#include <memory>
#include <optional>

#include "base/cores.h"
#include "trainer/plan/memory.h"
#include "trainer/record/metrics.h"
#include "trainer/record/progress.h"
#include "trainer/schedule/timeline.h"
#include "trainer/signals.h"
#include "trainer/step/device_data.h"
#include "trainer/step/evaluation.h"
#include "trainer/step/gradient_sum.h"
#include "trainer/step/optimizer.h"
#include "trainer/store/run_folder.h"
#include "trainer/workers/agreement.h"
#include "trainer/workers/balance.h"

namespace crescendo {

struct TrainResult {
  std::string reason;  // "finished", "reached --max-updates", "stopped by SIGTERM", ...
  int signal = 0;      // the signal that stopped it; 0: none
  Counters counters;
  std::optional<Evaluation> evaluation;  // the last one
};

struct TrainingData {
  std::shared_ptr<const Dataset> train, test;
};

// Opens both sets. Throws std::invalid_argument with the file, what was found and what was expected.
TrainingData open_training_data(const TrainOptions& options);

class Trainer {
 public:
  // Opens the run folder and, with options.resume, loads its newest checkpoint; of several workers only rank 0
  // does so. `device` must be the one that the options name, and the options settled (settled_options()).
  // `facts` are written to the manifest. Throws std::invalid_argument if the options cannot work. Does nothing
  // collective.
  Trainer(const TrainOptions& options, const TrainingData& data, const Device& device, Progress& progress,
          const Facts& facts, Communicator& workers);

  // Trains until the end, options.max_updates or a signal, and saves the state. All workers call it together.
  // Throws NonFiniteError; the last good checkpoint then stays the newest. Throws SharedError if workers
  // disagree.
  TrainResult run();

 private:
  using Clock = std::chrono::steady_clock;

  void open_folder();
  void resume_from(const std::string& checkpoint);
  void compare_data(const CheckpointInfo& info, const std::string& checkpoint);
  void share_state();
  void compare_first_ghost();
  void begin_record();
  void announce() const;
  TrainResult train();
  template <class Event>
  Event event_now() const;
  void log_end(const std::string& reason);
  Measurement measured() const;
  void decide_next();
  bool next_is_wanted() const;
  std::unique_ptr<Batches> open_batches() const;
  SampleRange share_of_worker(const Update& update) const;
  void run_update(const Update& update);
  void note_signal(double done);
  void meet();
  void verify_neighbour();
  void note_slow_worker(const std::vector<UpdateReport>& reports);
  void show_progress(const Update& update, SamplesSeen seen);
  void note_update(const Update& update, Clock::time_point start);
  void write_train_line(const Update& update);
  void warn_of_other_programs();
  bool evaluation_due(bool at_end) const;
  void evaluate_now();
  bool checkpoint_due() const;
  void save();
  void end_saving();
  TrainingState state();
  void save_extra(CheckpointInfo& info) const;
  void restore_extra(const CheckpointInfo& info);
  double epoch() const;
  bool is_first() const { return workers_.rank() == 0; }

  TrainOptions options_;
  Progress& progress_;
  Device device_;
  DatasetTraits traits_;
  int64_t micro_batch_;
  TrainingMemory memory_;  // computed before the folder exists: a model may refuse the images
  DeviceData train_data_, test_data_;
  std::string train_contents_, test_contents_;  // in words: number of images and digest
  ScheduleOptions schedule_;
  Timeline timeline_;
  std::optional<Update> next_;  // none when the run is over
  std::unique_ptr<Model> model_;
  Optimizer optimizer_;
  Communicator& workers_;
  GradientSum gradients_;
  std::optional<RunFolder> folder_;         // of rank 0
  std::unique_ptr<MetricsWriter> metrics_;  // of rank 0
  Facts facts_;
  RunLog log_;
  SignalGuard signals_;
  bool signal_noted_ = false;

  Counters counters_;
  SampleSums resumed_;                               // sums that the next train line begins with
  double window_seconds_ = 0;                        // of training since the last train line
  double window_exchange_ = 0, window_waiting_ = 0;  // of these
  std::optional<double> loss_;                       // shown last
  UpdateReport report_;
  Agreement agreed_;
  SlowWorkers slow_workers_;
  Balance balance_;
  SamplesSeen evaluated_at_ = 0;
  std::optional<Evaluation> evaluation_;
  // The state of the newest checkpoint.
  struct Saved {
    int64_t updates = -1;
    SamplesSeen samples = 0, evaluated_at = 0;
    Clock::time_point time;
  } saved_;
  bool save_failed_ = false;
  std::optional<OtherPrograms> others_;  // until they have been reported
};

}  // namespace crescendo

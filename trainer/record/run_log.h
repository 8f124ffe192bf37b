// The events of a run as values, and the log that hands them to sinks: the metrics file, the terminal.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace crescendo {

// The state of the run when an event happened.
struct RunEvent {
  int64_t segment = 0;  // starts of the program before this one; filled in by MetricsWriter
  int64_t samples = 0;  // seen
  int64_t updates = 0;  // done
};

struct StartMetrics : RunEvent {
  std::string time;  // UTC, ISO 8601; filled in by MetricsWriter
};

// Means over the updates since the previous train event.
struct TrainMetrics : RunEvent {
  double epoch = 0;
  double learning_rate = 0, momentum = 0;
  int64_t batch = 0;
  double loss = 0, accuracy = 0;  // accuracy is a fraction
  double images_per_second = 0;
  double seconds = 0;                          // of training, over all segments
  double noise_scale = 0;                      // g = eps / (1 - m) * (N / B - 1)
  std::optional<double> measured_noise_scale;  // B_simple, if it is measured
  // Of several workers. The seconds are those of rank 0, added up over the updates.
  std::optional<int64_t> workers;
  std::optional<double> exchange_seconds, waiting_seconds;  // for adding up sums; for slower workers
};

// Means over the test samples.
struct EvaluateMetrics : RunEvent {
  double epoch = 0;
  double loss = 0, accuracy = 0;  // accuracy is a fraction
  int64_t correct = 0, total = 0;
  double seconds = 0;  // of training, over all segments
};

struct EndMetrics : RunEvent {
  std::string reason;  // e.g. "finished", "reached --max-updates"
  std::string time;    // UTC, ISO 8601; filled in by MetricsWriter
};

// Receives the events of a run, in order. Each function returns a description of a failure, none on success.
class RunSink {
 public:
  using Failure = std::optional<std::string>;
  RunSink() = default;
  RunSink(const RunSink&) = delete;
  RunSink& operator=(const RunSink&) = delete;
  virtual ~RunSink() = default;

  virtual Failure write(const StartMetrics&) = 0;
  virtual Failure write(const TrainMetrics&) = 0;
  virtual Failure write(const EvaluateMetrics&) = 0;
  virtual Failure write(const EndMetrics&) = 0;
};

class RunLog {
 public:
  // `warn` is told of each event that a sink failed to write. The run goes on.
  explicit RunLog(std::function<void(const std::string&)> warn) : warn_(std::move(warn)) {}

  // Adds a sink, which must outlive the log.
  void add(RunSink& sink) { sinks_.push_back(&sink); }

  template <class Event>
  void write(const Event& event) const {
    for (RunSink* sink : sinks_)
      if (const RunSink::Failure failure = sink->write(event)) warn_(*failure + "; training goes on");
  }

 private:
  std::function<void(const std::string&)> warn_;
  std::vector<RunSink*> sinks_;
};

}  // namespace crescendo

// metrics.jsonl: the events of a run, one JSON object a line. Each line is appended in one write.
//   {"event":"start","segment":0,"samples":0,"updates":0,"time":"2026-01-31T12:00:00Z"}
//   {"event":"train","segment":0,"samples":..,"epoch":..,"updates":..,"learning_rate":..,"momentum":..,
//    "batch":..,"loss":..,"accuracy":..,"images_per_second":..,"seconds":..,"noise_scale":..,
//    "measured_noise_scale":..,"workers":..,"exchange_seconds":..,"waiting_seconds":..}
//   {"event":"evaluate","segment":0,"samples":..,"epoch":..,"updates":..,"loss":..,"accuracy":..,
//    "correct":..,"total":..,"seconds":..}
//   {"event":"end","segment":0,"samples":..,"updates":..,"reason":"finished","time":..}
// A segment is one start of the program: 0, then 1 after the first resume.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "trainer/record/run_log.h"
#include "trainer/store/file.h"

namespace crescendo {

// The events of a whole run, ordered by samples. Where a resumed segment repeated or took back lines of an
// earlier one (lines past the samples it started from), only the later segment's lines remain.
struct Metrics {
  std::vector<StartMetrics> starts;
  std::vector<TrainMetrics> train;
  std::vector<EvaluateMetrics> evaluations;
  std::vector<EndMetrics> ends;
  int64_t torn_lines = 0;  // lines cut short by a kill or a full disk; they are left out
};

// Reads a metrics file. A value that was not finite is stored as null and read as NaN. Throws
// std::invalid_argument with file, line and field if the file cannot be read or holds anything else.
Metrics read_metrics(const std::string& path);

// Returns the median test accuracy of the last five epochs, a fraction: the score of Goyal et al. (2017), which
// varies less than the last evaluation alone. None if fewer than five evaluations lie in those epochs.
std::optional<double> median_accuracy(const std::vector<EvaluateMetrics>& evaluations);

// The sink that appends to a metrics file. After a failed write the next event begins on a new line.
class MetricsWriter final : public RunSink {
 public:
  // Opens the file, ends a torn last line and takes the next segment's number. Throws FileError if the file
  // cannot be opened, std::invalid_argument if it holds anything else.
  explicit MetricsWriter(const std::string& path, FileSystem& files = FileSystem::system());
  ~MetricsWriter() override;

  int64_t segment() const { return segment_; }

  Failure write(const StartMetrics& event) override;
  Failure write(const TrainMetrics& event) override;
  Failure write(const EvaluateMetrics& event) override;
  Failure write(const EndMetrics& event) override;

 private:
  template <class Event>
  Failure append(const char* name, Event event);

  std::string path_;
  FileSystem& files_;
  int descriptor_ = -1;
  int64_t segment_ = 0;
  bool torn_ = false;  // the file does not end with a newline
};

}  // namespace crescendo

// metrics.jsonl: what happened in a run, one JSON object a line, appended and flushed line by line.
//   {"event":"start","segment":0,"samples":0,"updates":0,"time":"2026-01-31T12:00:00Z"}
//   {"event":"train","segment":0,"samples":..,"epoch":..,"updates":..,"learning_rate":..,"momentum":..,"batch":..,
//    "loss":..,"accuracy":..,"images_per_second":..,"seconds":..,"noise_scale":..,"measured_noise_scale":..}
//   {"event":"evaluate","segment":0,"samples":..,"epoch":..,"updates":..,"loss":..,"accuracy":..,"correct":..,
//    "total":..,"seconds":..}
//   {"event":"end","segment":0,"samples":..,"updates":..,"reason":"finished","time":..}
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "trainer/store/file.h"

namespace crescendo {

// Where in the run a line was written. A segment is one start of the program: 0, then 1 after the first
// resume.
struct MetricsPlace {
  int64_t segment = 0;  // filled in by MetricsWriter
  int64_t samples = 0;  // seen when the line was written
  int64_t updates = 0;  // done
};

struct StartMetrics : MetricsPlace {
  std::string time;  // UTC, ISO 8601; filled in by MetricsWriter
};

// The updates since the train line before.
struct TrainMetrics : MetricsPlace {
  double epoch = 0;
  double learning_rate = 0, momentum = 0;
  int64_t batch = 0;
  double loss = 0, accuracy = 0;  // mean over the samples; accuracy is a fraction
  double images_per_second = 0;
  double seconds = 0;                          // of training, all segments together
  double noise_scale = 0;                      // g = eps / (1 - m) * (N / B - 1)
  std::optional<double> measured_noise_scale;  // B_simple, where it is measured
};

struct EvaluateMetrics : MetricsPlace {
  double epoch = 0;
  double loss = 0, accuracy = 0;  // mean over the test samples; accuracy is a fraction
  int64_t correct = 0, total = 0;
  double seconds = 0;  // of training, all segments together
};

struct EndMetrics : MetricsPlace {
  std::string reason;  // e.g. "finished", "interrupted"
  std::string time;    // UTC, ISO 8601; filled in by MetricsWriter
};

// A whole run as its resumes left it: of lines that a later segment took back (they lie past the samples it
// started from) or repeated, only the later segment's remain. Ordered by samples.
struct Metrics {
  std::vector<StartMetrics> starts;
  std::vector<TrainMetrics> train;
  std::vector<EvaluateMetrics> evaluations;
  std::vector<EndMetrics> ends;
  int64_t torn_lines = 0;  // cut short by a kill or a full disk, and left out
};

// Throws std::invalid_argument with file, line and field for a file that cannot be read or holds something
// else. A value that was not finite is written as null and comes back as NaN.
Metrics read_metrics(const std::string& path);

// The score of Goyal et al. (2017): the median test accuracy of the last five epochs, less sensitive to the
// last evaluation than that alone. None where fewer than five evaluations lie there.
std::optional<double> median_accuracy(const std::vector<EvaluateMetrics>& evaluations);

// Appends lines, each in one write. Opening ends a torn last line and takes the next segment's number. A
// failed write does not end a run: it is returned as a description (none: written), and the next line begins
// on a new line.
class MetricsWriter {
 public:
  // Throws FileError if the file cannot be opened, std::invalid_argument if it holds something else.
  explicit MetricsWriter(const std::string& path, FileSystem& files = FileSystem::system());
  MetricsWriter(const MetricsWriter&) = delete;
  MetricsWriter& operator=(const MetricsWriter&) = delete;
  ~MetricsWriter();

  int64_t segment() const { return segment_; }

  std::optional<std::string> write(StartMetrics line);
  std::optional<std::string> write(TrainMetrics line);
  std::optional<std::string> write(EvaluateMetrics line);
  std::optional<std::string> write(EndMetrics line);

 private:
  std::optional<std::string> append(const std::string& line);

  std::string path_;
  FileSystem& files_;
  int descriptor_ = -1;
  int64_t segment_ = 0;
  bool torn_ = false;  // the file does not end with a newline
};

}  // namespace crescendo

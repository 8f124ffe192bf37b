// The user's view of a run: a live line on a terminal, plain lines in a pipe, nothing when quiet.
#pragma once

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>

#include "trainer/record/run_log.h"

namespace crescendo {

// The numbers of the live line.
struct ProgressPoint {
  int64_t samples = 0, total_samples = 0;  // of the run
  double epoch = 0, epochs = 0;
  int64_t update = 0, batch = 0;
  double learning_rate = 0;
  std::optional<double> loss;  // mean over recent samples
};

// What the user sees of a run.
enum class Output { all, warnings, nothing };

// Returns true if a line of the file may be written over again and again: it is a terminal, and not a dumb one.
bool is_live(std::FILE* out);

// The sink that writes to the terminal. It shows a run's evaluations and no other event.
class Progress final : public RunSink {
 public:
  // Writes to `out`; the line is live if is_live(out).
  explicit Progress(Output output, std::FILE* out = stdout);
  ~Progress() override;

  // Notes how far the run is; to be called after every micro-batch. Returns true if it is time to show(), for
  // which the caller may have to wait for the device.
  bool advance(int64_t samples, int64_t batch);
  void show(const ProgressPoint& point);
  // Writes a line that stays, above the live one.
  void say(const std::string& line);
  // Writes a line to standard error.
  void warn(const std::string& line);

  Failure write(const StartMetrics&) override { return {}; }
  Failure write(const TrainMetrics&) override { return {}; }
  Failure write(const EvaluateMetrics& evaluation) override;
  Failure write(const EndMetrics&) override { return {}; }

 private:
  using Clock = std::chrono::steady_clock;
  std::string text(const ProgressPoint& point) const;
  void clear_live();

  Output output_;
  bool live_;
  std::FILE* out_;
  bool line_open_ = false;
  Clock::time_point last_shown_, rate_since_;
  int64_t rate_from_ = -1, rate_batch_ = -1;  // samples at rate_since_, and the batch since then
  double rate_ = 0;                           // images a second with this batch
};

// Returns "1:02:03", "4:05" or "12 s".
std::string duration_text(double seconds);

}  // namespace crescendo

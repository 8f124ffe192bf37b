// What a user sees while training: one live line on a terminal, plain lines in a pipe, nothing when quiet.
#pragma once

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>

namespace crescendo {

struct ProgressPoint {
  int64_t samples = 0, total_samples = 0;  // of the run
  double epoch = 0, epochs = 0;
  int64_t update = 0, batch = 0;
  double learning_rate = 0;
  std::optional<double> loss;  // mean over recent samples
};

class Progress {
 public:
  // Writes to `out`; live when that is a terminal.
  explicit Progress(bool quiet, std::FILE* out = stdout);
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress();

  // How far the run is, after every micro-batch: true if it is to be shown, for which the caller may have to
  // wait for the device.
  bool advance(int64_t samples, int64_t batch);
  void show(const ProgressPoint& point);
  // A line that stays, above the live one.
  void say(const std::string& line);
  // The same on standard error, quiet or not.
  void warn(const std::string& line);

 private:
  using Clock = std::chrono::steady_clock;
  std::string text(const ProgressPoint& point) const;
  void clear_live();

  bool quiet_, live_;
  std::FILE* out_;
  bool line_open_ = false;
  Clock::time_point last_shown_, rate_since_;
  int64_t rate_from_ = -1, rate_batch_ = -1;  // samples at rate_since_, and the segment they belong to
  double rate_ = 0;                           // images a second in this segment
};

// "1:02:03", "4:05" or "12 s"
std::string duration_text(double seconds);

}  // namespace crescendo

#include "trainer/record/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <string_view>

#include "trainer/record/console.h"

namespace crescendo {
namespace {

constexpr double kLiveSeconds = 0.2;  // between redraws of the live line
constexpr double kPlainSeconds = 10;  // between plain lines

double seconds_between(std::chrono::steady_clock::time_point from, std::chrono::steady_clock::time_point to) {
  return std::chrono::duration<double>(to - from).count();
}

}  // namespace

std::string duration_text(double seconds) {
  const auto whole = static_cast<int64_t>(std::llround(std::max(0.0, seconds)));
  if (whole < 60) return fmt::format("{} s", whole);
  if (whole < 3600) return fmt::format("{}:{:02}", whole / 60, whole % 60);
  return fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
}

bool is_live(std::FILE* out) {
  const char* const terminal = std::getenv("TERM");
  return isatty(fileno(out)) != 0 && (terminal == nullptr || std::string_view(terminal) != "dumb");
}

Progress::Progress(Output output, std::FILE* out)
    : output_(output), live_(is_live(out)), out_(out), last_shown_(Clock::now()) {}

Progress::~Progress() { clear_live(); }

// Measures the rate anew when the batch changes.
bool Progress::advance(int64_t samples, int64_t batch) {
  const Clock::time_point now = Clock::now();
  if (rate_from_ < 0 || batch != rate_batch_) {
    rate_from_ = samples;
    rate_since_ = now;
    rate_batch_ = batch;
  }
  return output_ == Output::all &&
         seconds_between(last_shown_, now) >= (live_ ? kLiveSeconds : kPlainSeconds);
}

std::string Progress::text(const ProgressPoint& point) const {
  const double left = rate_ > 0 ? static_cast<double>(point.total_samples - point.samples) / rate_ : 0;
  return fmt::format("epoch {:.2f}/{:g}  update {}  batch {}  rate {:.4g}  loss {}  {:.0f} images/s  {} left",
                     point.epoch, point.epochs, point.update, point.batch, point.learning_rate,
                     point.loss ? fmt::format("{:.4f}", *point.loss) : "-", rate_,
                     rate_ > 0 ? duration_text(left) : "-");
}

void Progress::show(const ProgressPoint& point) {
  if (output_ != Output::all) return;
  last_shown_ = Clock::now();
  const double seconds = seconds_between(rate_since_, last_shown_);
  if (seconds > 0 && point.samples > rate_from_)
    rate_ = static_cast<double>(point.samples - rate_from_) / seconds;
  write_or_drop(out_, fmt::format("{}{}{}", live_ ? "\r\x1b[K" : "", text(point), live_ ? "" : "\n"));
  line_open_ = live_;
}

void Progress::clear_live() {
  if (!line_open_) return;
  write_or_drop(out_, "\r\x1b[K");
  line_open_ = false;
}

void Progress::say(const std::string& line) {
  if (output_ != Output::all) return;
  clear_live();
  write_or_drop(out_, line + "\n");
}

RunSink::Failure Progress::write(const EvaluateMetrics& evaluation) {
  say(fmt::format("epoch {:.2f}  update {}  test accuracy {:.2f} %  test loss {:.4f}  after {}",
                  evaluation.epoch, evaluation.updates, 100 * evaluation.accuracy, evaluation.loss,
                  duration_text(evaluation.seconds)));
  return {};
}

void Progress::warn(const std::string& line) {
  if (output_ == Output::nothing) return;
  clear_live();
  print_error("crescendo: {}\n", line);
}

}  // namespace crescendo

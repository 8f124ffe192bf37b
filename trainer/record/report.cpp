// Reads runs, thins their curves to what a screen can show, and fills in report_page.html, which draws them.
#include "trainer/record/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "base/check.h"
#include "trainer/options/toml.h"
#include "trainer/record/metrics.h"
#include "trainer/store/embedded.h"
#include "trainer/store/file.h"
#include "trainer/store/utc_time.h"

namespace crescendo {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr size_t kMaxPoints = 1000;  // per curve: more than a screen has pixels for
constexpr size_t kMaxMarks = 200;    // single points

// ------------------------------------------------------------ reading runs

struct Run {
  fs::path folder;
  std::string name;
  std::vector<TomlEntry> settings;
  Metrics metrics;
};

// A folder without a configuration has no settings to show.
std::vector<TomlEntry> read_settings(const fs::path& file) {
  std::ifstream in(file);
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  return read_toml(text, file.string());
}

Run read_run(const std::string& folder) {
  require(fs::exists(folder), "report: ", folder, " does not exist, expected a run folder");
  require(fs::is_directory(folder), "report: ", folder, " is a file, expected a run folder");
  fs::path metrics_file = fs::path(folder) / "metrics.jsonl";
  require(fs::exists(metrics_file), "report: ", folder, " is not a run folder: it has no metrics.jsonl");
  Run run{.folder = fs::canonical(folder), .name = "", .settings = {}, .metrics = {}};
  run.name = run.folder.filename().string();
  run.settings = read_settings(run.folder / "config.toml");
  run.metrics = read_metrics(metrics_file.string());
  require(!run.metrics.train.empty() || !run.metrics.evaluations.empty(), "report: ", folder,
          " has nothing to show yet: its metrics.jsonl holds no update and no evaluation");
  return run;
}

std::vector<Run> read_runs(const std::vector<std::string>& folders) {
  require(!folders.empty(), "report: no run given, expected at least one run folder");
  std::vector<Run> runs;
  std::map<std::string, int> count;
  for (const std::string& folder : folders) {
    runs.push_back(read_run(folder));
    for (size_t i = 0; i + 1 < runs.size(); ++i)
      require(runs[i].folder != runs.back().folder, "report: ", folder, " is given twice");
    ++count[runs.back().name];
  }
  for (size_t i = 0; i < runs.size(); ++i)
    if (count[runs[i].name] > 1) runs[i].name = fs::path(folders[i]).lexically_normal().string();
  return runs;
}

// ------------------------------------------------------------ thinning curves

// Rounds to six digits, more than a chart or a table shows. NaN and infinities become null.
Json rounded(double value) {
  if (!std::isfinite(value)) return nullptr;
  return std::strtod(fmt::format("{:.6g}", value).c_str(), nullptr);
}

// Returns at most `points` of the lines, evenly spread over the run, with the first and the last.
template <class Line>
std::vector<Line> spread(const std::vector<Line>& lines, size_t points = kMaxPoints) {
  if (lines.size() <= points) return lines;
  std::vector<Line> kept;
  kept.reserve(points);
  for (size_t i = 0; i < points; ++i) kept.push_back(lines[i * (lines.size() - 1) / (points - 1)]);
  return kept;
}

int64_t images_of(const std::vector<TrainMetrics>& lines, size_t i) {
  return std::max<int64_t>(1, lines[i].samples - (i > 0 ? lines[i - 1].samples : 0));
}

// Returns the mean loss over the images of lines [first, last).
double mean_loss(const std::vector<TrainMetrics>& lines, size_t first, size_t last) {
  double sum = 0, images = 0;
  for (size_t i = first; i < last; ++i) {
    double weight = static_cast<double>(images_of(lines, i));
    sum += weight * lines[i].loss;
    images += weight;
  }
  return sum / images;
}

// Returns the first and the last line, and between them means over equal numbers of lines. Each mean has the
// position of its last line: like the loss of a line, it covers the images since the point before.
Json training_curve(const std::vector<TrainMetrics>& lines) {
  Json curve = {{"epoch", Json::array()}, {"updates", Json::array()}, {"loss", Json::array()}};
  size_t points = std::min(lines.size(), kMaxPoints), first = 0;
  for (size_t point = 0; point < points; ++point) {
    size_t last = lines.size();
    if (point == 0)
      last = 1;
    else if (point + 1 < points)
      last = 1 + point * (lines.size() - 2) / (points - 2);
    curve["epoch"].push_back(rounded(lines[last - 1].epoch));
    curve["updates"].push_back(lines[last - 1].updates);
    curve["loss"].push_back(rounded(mean_loss(lines, first, last)));
    first = last;
  }
  return curve;
}

bool same_setting(const TrainMetrics& a, const TrainMetrics& b) {
  return a.learning_rate == b.learning_rate && a.batch == b.batch && a.noise_scale == b.noise_scale;
}

// Returns only the lines at which something changes, from the beginning of the run on.
Json schedule_curve(const std::vector<TrainMetrics>& lines) {
  std::vector<TrainMetrics> kept;
  for (size_t i = 0; i < lines.size(); ++i) {
    bool inside = i > 0 && i + 1 < lines.size();
    if (!inside || !same_setting(lines[i - 1], lines[i]) || !same_setting(lines[i], lines[i + 1]))
      kept.push_back(lines[i]);
  }
  kept = spread(kept);
  if (!kept.empty()) {
    kept.insert(kept.begin(), kept.front());
    kept.front().epoch = 0;
  }
  Json curve = {{"epoch", Json::array()},
                {"learning_rate", Json::array()},
                {"batch", Json::array()},
                {"noise_scale", Json::array()}};
  for (const TrainMetrics& line : kept) {
    curve["epoch"].push_back(rounded(line.epoch));
    curve["learning_rate"].push_back(rounded(line.learning_rate));
    curve["batch"].push_back(line.batch);
    curve["noise_scale"].push_back(rounded(line.noise_scale));
  }
  return curve;
}

Json measured_points(const std::vector<TrainMetrics>& lines) {
  std::vector<TrainMetrics> measured;
  std::copy_if(lines.begin(), lines.end(), std::back_inserter(measured),
               [](const TrainMetrics& line) { return line.measured_noise_scale.has_value(); });
  Json points = {{"epoch", Json::array()}, {"noise_scale", Json::array()}};
  for (const TrainMetrics& line : spread(measured, kMaxMarks)) {
    points["epoch"].push_back(rounded(line.epoch));
    points["noise_scale"].push_back(rounded(*line.measured_noise_scale));
  }
  return points;
}

Json test_curve(const std::vector<EvaluateMetrics>& lines) {
  Json curve = {{"epoch", Json::array()},
                {"updates", Json::array()},
                {"seconds", Json::array()},
                {"accuracy", Json::array()}};
  for (const EvaluateMetrics& line : spread(lines)) {
    curve["epoch"].push_back(rounded(line.epoch));
    curve["updates"].push_back(line.updates);
    curve["seconds"].push_back(rounded(line.seconds));
    curve["accuracy"].push_back(rounded(line.accuracy));
  }
  return curve;
}

// ------------------------------------------------------------ final figures

// Returns the position of the last train or evaluate event.
RunEvent last_event(const Metrics& metrics) {
  RunEvent last;
  if (!metrics.train.empty()) last = metrics.train.back();
  if (!metrics.evaluations.empty() && metrics.evaluations.back().samples > last.samples)
    last = metrics.evaluations.back();
  return last;
}

template <class Line>
double last_epoch(const std::vector<Line>& lines) {
  return lines.empty() ? 0 : lines.back().epoch;
}

// Returns "finished", the reason why the run ended earlier, or a text if its last segment has no end event.
std::string state(const Metrics& metrics) {
  bool ended = !metrics.ends.empty() &&
               (metrics.starts.empty() || metrics.ends.back().segment >= metrics.starts.back().segment);
  return ended ? metrics.ends.back().reason : "still running, or cut off";
}

void add_test_figures(Json& figures, const std::vector<EvaluateMetrics>& lines) {
  if (lines.empty()) return;
  auto best = std::max_element(lines.begin(), lines.end(),
                               [](const auto& a, const auto& b) { return a.accuracy < b.accuracy; });
  figures["accuracy"] = rounded(lines.back().accuracy);
  figures["best_accuracy"] = rounded(best->accuracy);
  figures["best_epoch"] = rounded(best->epoch);
  if (const auto median = median_accuracy(lines)) figures["median_accuracy"] = rounded(*median);
}

// Adds the mean loss of the last epoch, and seconds and images per second of training, without evaluations.
void add_training_figures(Json& figures, const std::vector<TrainMetrics>& lines) {
  if (lines.empty()) return;
  size_t first = lines.size() - 1;
  while (first > 0 && lines[first - 1].epoch > lines.back().epoch - 1) --first;
  figures["loss"] = rounded(mean_loss(lines, first, lines.size()));
  figures["seconds"] = rounded(lines.back().seconds);
  double images = 0, seconds = 0;
  for (size_t i = 0; i < lines.size(); ++i) {
    if (!(lines[i].images_per_second > 0)) continue;
    images += static_cast<double>(images_of(lines, i));
    seconds += static_cast<double>(images_of(lines, i)) / lines[i].images_per_second;
  }
  if (seconds > 0) figures["images_per_second"] = rounded(images / seconds);
}

// Adds the fewest and the most workers, and what part of the training time rank 0 spent on the exchange of sums
// and on waiting for others, if there ever were several.
void add_worker_figures(Json& figures, const std::vector<TrainMetrics>& lines) {
  int64_t fewest = std::numeric_limits<int64_t>::max(), most = 1;
  double exchange = 0, waiting = 0;
  for (const TrainMetrics& line : lines) {
    fewest = std::min(fewest, line.workers.value_or(1));
    most = std::max(most, line.workers.value_or(1));
    exchange += line.exchange_seconds.value_or(0);
    waiting += line.waiting_seconds.value_or(0);
  }
  if (most == 1 || !(lines.back().seconds > 0)) return;
  figures["workers"] = {fewest, most};
  figures["exchange"] = rounded(exchange / lines.back().seconds);
  figures["waiting"] = rounded(waiting / lines.back().seconds);
}

// Returns a run's final figures. `most` is the last event of the run with the most updates. The saving is a
// fraction of its updates; only runs that saw as many images have one.
Json final_figures(const Metrics& metrics, const RunEvent& most) {
  RunEvent last = last_event(metrics);
  Json figures = {{"updates", last.updates}, {"samples", last.samples}};
  add_test_figures(figures, metrics.evaluations);
  add_training_figures(figures, metrics.train);
  add_worker_figures(figures, metrics.train);
  figures["epochs"] = rounded(std::max(last_epoch(metrics.train), last_epoch(metrics.evaluations)));
  double images = static_cast<double>(most.samples);
  bool comparable = std::abs(static_cast<double>(last.samples) - images) <= 0.02 * images;
  figures["comparable"] = comparable;
  if (comparable && most.updates > 0)
    figures["saving"] = rounded(1 - static_cast<double>(last.updates) / static_cast<double>(most.updates));
  return figures;
}

// ------------------------------------------------------------ the page

// Returns true for options that say where and how the program was started, not what the run computes.
bool about_the_call(const std::string& key) { return key == "run-dir" || key == "resume" || key == "quiet"; }

void add_settings(Json& report, const std::vector<Run>& runs) {
  std::vector<std::string> keys, differing;
  std::map<std::string, std::vector<std::string>> values;
  for (const Run& run : runs)
    for (const auto& [key, value, line] : run.settings) {
      if (!values.contains(key)) keys.push_back(key);
      values[key].push_back(value);
    }
  for (const std::string& key : keys) {
    const std::vector<std::string>& all = values[key];
    bool same = all.size() == runs.size() && std::count(all.begin(), all.end(), all[0]) == std::ssize(all);
    if (!same && !about_the_call(key)) differing.push_back(key);
  }
  report["keys"] = keys;
  report["differing"] = differing;
}

Json settings_of(const Run& run) {
  Json settings = Json::object();
  for (const TomlEntry& entry : run.settings) settings[entry.key] = entry.value;
  return settings;
}

Json describe(const std::vector<Run>& runs) {
  Json report = {{"created", utc_time()}, {"runs", Json::array()}};
  RunEvent most;
  for (const Run& run : runs)
    if (RunEvent last = last_event(run.metrics); last.updates >= most.updates) most = last;
  for (const Run& run : runs)
    report["runs"].push_back({{"name", run.name},
                              {"folder", run.folder.string()},
                              {"state", state(run.metrics)},
                              {"schedule", schedule_curve(run.metrics.train)},
                              {"training", training_curve(run.metrics.train)},
                              {"measured", measured_points(run.metrics.train)},
                              {"test", test_curve(run.metrics.evaluations)},
                              {"final", final_figures(run.metrics, most)},
                              {"settings", settings_of(run)}});
  add_settings(report, runs);
  return report;
}

std::string default_title(const std::vector<Run>& runs) {
  if (runs.size() > 4) return join("Crescendo: ", runs.size(), " runs");
  std::string title = "Crescendo: " + runs[0].name;
  for (size_t i = 1; i < runs.size(); ++i) title += ", " + runs[i].name;
  return title;
}

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  for (size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
    text.replace(at, from.size(), to);
  return text;
}

// Replaces each {{name}} of the template by its part, in one pass: text filled in is not searched again.
std::string filled(std::string_view page, const std::map<std::string_view, std::string>& parts) {
  std::string text;
  for (size_t at = 0; (at = page.find("{{")) != std::string_view::npos;) {
    size_t end = page.find("}}", at);
    auto part = parts.find(page.substr(at + 2, end - at - 2));
    text += page.substr(0, at);
    text += part != parts.end() ? part->second : std::string(page.substr(at, end + 2 - at));
    page.remove_prefix(end + 2);
  }
  return text.append(page);
}

}  // namespace

void write_report(const std::vector<std::string>& run_folders, const std::string& output_path,
                  const std::string& title) {
  std::vector<Run> runs = read_runs(run_folders);
  Json report = describe(runs);
  report["title"] = title.empty() ? default_title(runs) : title;
  // Names and settings may hold anything. Broken UTF-8 is replaced, and escaping every "<" keeps the data
  // from ending the script element.
  std::string data = replaced(report.dump(-1, ' ', false, Json::error_handler_t::replace), "<", "\\u003c");
  std::string escaped_title = replaced(replaced(report["title"], "&", "&amp;"), "<", "&lt;");
  std::string chart_js = replaced(std::string(embedded_file("chart.js")), "</script", "<\\/script");
  write_durably(output_path, filled(embedded_file("report_page.html"),
                                    {{"title", escaped_title}, {"chart_js", chart_js}, {"report", data}}));
}

}  // namespace crescendo

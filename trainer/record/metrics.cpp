#include "trainer/record/metrics.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>

#include "base/check.h"
#include "trainer/store/utc_time.h"

namespace crescendo {
namespace {

using Json = nlohmann::ordered_json;

// ---- Fields. One function for each kind of event lists its fields, for writing and reading.

template <class Fields>
void run_fields(Fields& fields, RunEvent& line) {
  fields("segment", line.segment);
  fields("samples", line.samples);
}

template <class Fields>
void each_field(Fields& fields, StartMetrics& line) {
  run_fields(fields, line);
  fields("updates", line.updates);
  fields("time", line.time);
}

template <class Fields>
void each_field(Fields& fields, TrainMetrics& line) {
  run_fields(fields, line);
  fields("epoch", line.epoch);
  fields("updates", line.updates);
  fields("learning_rate", line.learning_rate);
  fields("momentum", line.momentum);
  fields("batch", line.batch);
  fields("loss", line.loss);
  fields("accuracy", line.accuracy);
  fields("images_per_second", line.images_per_second);
  fields("seconds", line.seconds);
  fields("noise_scale", line.noise_scale);
  fields("measured_noise_scale", line.measured_noise_scale);
  fields("workers", line.workers);
  fields("exchange_seconds", line.exchange_seconds);
  fields("waiting_seconds", line.waiting_seconds);
}

template <class Fields>
void each_field(Fields& fields, EvaluateMetrics& line) {
  run_fields(fields, line);
  fields("epoch", line.epoch);
  fields("updates", line.updates);
  fields("loss", line.loss);
  fields("accuracy", line.accuracy);
  fields("correct", line.correct);
  fields("total", line.total);
  fields("seconds", line.seconds);
}

template <class Fields>
void each_field(Fields& fields, EndMetrics& line) {
  run_fields(fields, line);
  fields("updates", line.updates);
  fields("reason", line.reason);
  fields("time", line.time);
}

struct FieldWriter {
  Json object;

  template <class Value>
  void operator()(const char* name, const Value& value) {
    object[name] = value;
  }
  template <class Value>
  void operator()(const char* name, const std::optional<Value>& value) {
    if (value) object[name] = *value;
  }
};

struct FieldReader {
  const Json& object;
  const std::string& where;

  void operator()(const char* name, int64_t& value) {
    value = field(name, &Json::is_number_integer).get<int64_t>();
  }
  void operator()(const char* name, std::string& value) {
    value = field(name, &Json::is_string).get<std::string>();
  }
  void operator()(const char* name, double& value) {
    const bool null = object.contains(name) && object[name].is_null();
    value = null ? std::numeric_limits<double>::quiet_NaN() : field(name, &Json::is_number).get<double>();
  }
  template <class Value>
  void operator()(const char* name, std::optional<Value>& value) {
    if (object.contains(name)) (*this)(name, value.emplace());
  }

 private:
  const Json& field(const char* name, bool (Json::*right_type)() const noexcept) const {
    require(object.contains(name), where, ": ", name, " is missing");
    require((object[name].*right_type)(), where, ": ", name, " has the wrong type");
    return object[name];
  }
};

template <class Line>
std::string text_of(const char* event, Line& line) {
  FieldWriter fields;
  fields("event", std::string(event));
  each_field(fields, line);
  return fields.object.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

template <class Line>
void read_line(std::vector<Line>& lines, const Json& object, const std::string& where) {
  FieldReader fields{object, where};
  each_field(fields, lines.emplace_back());
}

void read_object(Metrics& metrics, const Json& object, const std::string& where) {
  const bool named = object.is_object() && object.contains("event") && object["event"].is_string();
  const std::string event = named ? object["event"].get<std::string>() : "";
  if (event == "start") return read_line(metrics.starts, object, where);
  if (event == "train") return read_line(metrics.train, object, where);
  if (event == "evaluate") return read_line(metrics.evaluations, object, where);
  if (event == "end") return read_line(metrics.ends, object, where);
  require(false, where, ": not an event, expected start, train, evaluate or end");
}

// Returns all lines as written. A line that a kill or a full disk cut short lacks its last brace, so it is
// not JSON.
Metrics read_all(const std::string& path) {
  std::ifstream file(path);
  require(file.is_open(), path, ": cannot be read");
  Metrics metrics;
  std::string line;
  for (int64_t number = 1; std::getline(file, line); ++number) {
    const Json object = Json::parse(line, nullptr, false);
    if (!object.is_discarded())
      read_object(metrics, object, join(path, ": line ", number));
    else if (!line.empty())
      ++metrics.torn_lines;
  }
  require(!file.bad(), path, ": cannot be read");
  return metrics;
}

template <class Line>
int64_t next_segment(const std::vector<Line>& lines) {
  int64_t next = 0;
  for (const Line& line : lines) next = std::max(next, line.segment + 1);
  return next;
}

bool ends_with_newline(const std::string& path) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (file.tellg() == 0) return true;
  file.seekg(-1, std::ios::end);
  return file.get() == '\n';
}

// ---- Resumes

// Removes lines that a later segment took back. Where segments have lines at the same number of samples, only
// those of the latest stay.
template <class Line>
void drop_superseded(std::vector<Line>& lines, const std::vector<StartMetrics>& starts) {
  const auto taken_back = [&](const Line& line) {
    return std::any_of(starts.begin(), starts.end(), [&](const StartMetrics& start) {
      return start.segment > line.segment && start.samples < line.samples;
    });
  };
  std::erase_if(lines, taken_back);
  std::stable_sort(lines.begin(), lines.end(), [](const Line& a, const Line& b) {
    return a.samples != b.samples ? a.samples < b.samples : a.segment < b.segment;
  });
  const auto repeated = [](const Line& later, const Line& earlier) {
    return later.samples == earlier.samples && later.segment != earlier.segment;
  };
  const auto kept = std::unique(lines.rbegin(), lines.rend(), repeated);
  lines.erase(lines.begin(), kept.base());
}

}  // namespace

Metrics read_metrics(const std::string& path) {
  Metrics metrics = read_all(path);
  drop_superseded(metrics.train, metrics.starts);
  drop_superseded(metrics.evaluations, metrics.starts);
  drop_superseded(metrics.ends, metrics.starts);
  return metrics;
}

std::optional<double> median_accuracy(const std::vector<EvaluateMetrics>& evaluations) {
  constexpr double kEpochs = 5, kSlack = 0.25;  // updates end a little after an epoch does
  std::vector<double> accuracies;
  for (const EvaluateMetrics& line : evaluations)
    if (line.epoch > evaluations.back().epoch - kEpochs + kSlack) accuracies.push_back(line.accuracy);
  if (accuracies.size() < kEpochs) return std::nullopt;
  std::sort(accuracies.begin(), accuracies.end());
  const size_t upper = accuracies.size() / 2, lower = (accuracies.size() - 1) / 2;
  return (accuracies[lower] + accuracies[upper]) / 2;
}

MetricsWriter::MetricsWriter(const std::string& path, FileSystem& files) : path_(path), files_(files) {
  if (std::filesystem::exists(path_)) {
    const Metrics before = read_all(path_);
    segment_ = std::max({next_segment(before.starts), next_segment(before.train),
                         next_segment(before.evaluations), next_segment(before.ends)});
    torn_ = !ends_with_newline(path_);
  }
  descriptor_ = open_file(files_, path_, O_WRONLY | O_APPEND | O_CREAT);
  if (descriptor_ < 0) throw FileError(path_, "write", errno);
}

MetricsWriter::~MetricsWriter() {
  if (descriptor_ >= 0) files_.close(descriptor_);
}

RunSink::Failure MetricsWriter::write(const StartMetrics& event) { return append("start", event); }

RunSink::Failure MetricsWriter::write(const TrainMetrics& event) { return append("train", event); }

RunSink::Failure MetricsWriter::write(const EvaluateMetrics& event) { return append("evaluate", event); }

RunSink::Failure MetricsWriter::write(const EndMetrics& event) { return append("end", event); }

template <class Event>
RunSink::Failure MetricsWriter::append(const char* name, Event event) {
  event.segment = segment_;
  if constexpr (requires { event.time; }) event.time = utc_time();
  const std::string text = (torn_ ? "\n" : "") + text_of(name, event);
  const bool written = write_all(files_, descriptor_, text.data(), text.size());
  const int error = errno;
  torn_ = !written;
  if (written) return std::nullopt;
  return FileError(path_, "write", error).what();
}

}  // namespace crescendo

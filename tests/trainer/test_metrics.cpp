// The metrics file: what is written comes back, a torn tail costs one line,
// a resume takes back what it repeats.
#include "trainer/record/metrics.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "support/faulty_files.h"
#include "support/temporary_folder.h"

using namespace crescendo;

namespace {

TrainMetrics train_line(int64_t samples) {
  TrainMetrics line;
  line.samples = samples;
  line.updates = samples / 128;
  line.epoch = 0.1 * static_cast<double>(samples);
  line.learning_rate = 0.1;
  line.momentum = 0.9;
  line.batch = 128;
  line.loss = 1.0 / 3;
  line.accuracy = std::nextafter(0.5, 1);
  line.images_per_second = 1e9 / 7;
  line.seconds = 5e-324;
  line.noise_scale = 390.625;
  return line;
}

EvaluateMetrics evaluate_line(int64_t samples) {
  EvaluateMetrics line;
  line.samples = samples;
  line.updates = samples / 128;
  line.epoch = 2;
  line.loss = 0.3;
  line.accuracy = 0.75;
  line.correct = 75;
  line.total = 100;
  line.seconds = 12.5;
  return line;
}

void write_segment(const std::string& path, int64_t from, int64_t to) {
  MetricsWriter writer(path);
  StartMetrics start;
  start.samples = from;
  CHECK_FALSE(writer.write(start));
  for (int64_t samples = from + 128; samples <= to; samples += 128) {
    CHECK_FALSE(writer.write(train_line(samples)));
    CHECK_FALSE(writer.write(evaluate_line(samples)));
  }
}

std::vector<int64_t> samples_of(const auto& lines) {
  std::vector<int64_t> samples;
  for (const auto& line : lines) samples.push_back(line.samples);
  return samples;
}

}  // namespace

TEST_CASE("metrics come back bit for bit") {
  const TemporaryFolder folder;
  const std::string path = folder / "metrics.jsonl";
  TrainMetrics measured = train_line(256);
  measured.measured_noise_scale = 1234.5678901234567;
  {
    MetricsWriter writer(path);
    writer.write(StartMetrics{});
    writer.write(train_line(128));
    writer.write(measured);
    writer.write(evaluate_line(256));
    EndMetrics end;
    end.samples = 256;
    end.reason = "finished";
    writer.write(end);
  }
  const Metrics metrics = read_metrics(path);
  REQUIRE(metrics.starts.size() == 1);
  REQUIRE(metrics.train.size() == 2);
  REQUIRE(metrics.evaluations.size() == 1);
  REQUIRE(metrics.ends.size() == 1);
  CHECK(metrics.torn_lines == 0);
  CHECK(metrics.starts[0].time.size() == std::string("2026-01-31T12:00:00Z").size());
  const TrainMetrics expected = train_line(128), &found = metrics.train[0];
  CHECK(found.samples == expected.samples);
  CHECK(found.updates == expected.updates);
  CHECK(found.batch == expected.batch);
  for (double TrainMetrics::*field :
       {&TrainMetrics::epoch, &TrainMetrics::learning_rate, &TrainMetrics::momentum, &TrainMetrics::loss,
        &TrainMetrics::accuracy, &TrainMetrics::images_per_second, &TrainMetrics::seconds,
        &TrainMetrics::noise_scale})
    CHECK(found.*field == expected.*field);
  CHECK_FALSE(found.measured_noise_scale);
  CHECK(metrics.train[1].measured_noise_scale == measured.measured_noise_scale);
  CHECK(metrics.evaluations[0].loss == 0.3);
  CHECK(metrics.evaluations[0].accuracy == 0.75);
  CHECK(metrics.evaluations[0].correct == 75);
  CHECK(metrics.evaluations[0].total == 100);
  CHECK(metrics.evaluations[0].seconds == 12.5);
  CHECK(metrics.ends[0].reason == "finished");
}

TEST_CASE("a value that is not finite comes back as NaN") {
  const TemporaryFolder folder;
  TrainMetrics line = train_line(128);
  line.loss = std::numeric_limits<double>::infinity();
  MetricsWriter(folder / "m").write(line);
  CHECK(std::isnan(read_metrics(folder / "m").train.at(0).loss));
}

TEST_CASE("cut at any byte, the whole lines remain and the next start begins on a line of its own") {
  const TemporaryFolder folder;
  const std::string path = folder / "metrics.jsonl";
  write_segment(path, 0, 256);
  const std::string whole = read_text(path);
  for (size_t size = 0; size <= whole.size(); ++size) {
    CAPTURE(size);
    const std::string cut = whole.substr(0, size);
    write_text(path, cut);
    const auto full_lines = static_cast<size_t>(std::count(cut.begin(), cut.end(), '\n'));
    const Metrics before = read_metrics(path);
    const size_t found = before.starts.size() + before.train.size() + before.evaluations.size();
    const bool only_newline_missing = size < whole.size() && whole[size] == '\n';
    CHECK(found == full_lines + (only_newline_missing ? 1 : 0));
    CHECK(before.torn_lines == (cut.empty() || cut.back() == '\n' || only_newline_missing ? 0 : 1));
    MetricsWriter writer(path);
    CHECK(writer.segment() == (found > 0 ? 1 : 0));
    CHECK_FALSE(writer.write(evaluate_line(100'000)));
    const Metrics after = read_metrics(path);
    CHECK(after.evaluations.size() == before.evaluations.size() + 1);
    CHECK(after.train.size() == before.train.size());
    CHECK(after.torn_lines == before.torn_lines);
  }
}

TEST_CASE("a resume takes back what lies past its start, and repeats replace what they repeat") {
  const TemporaryFolder folder;
  const std::string path = folder / "metrics.jsonl";
  write_segment(path, 0, 512);
  write_segment(path, 256, 384);
  CHECK(samples_of(read_metrics(path).train) == std::vector<int64_t>{128, 256, 384});
  CHECK(samples_of(read_metrics(path).evaluations) == std::vector<int64_t>{128, 256, 384});
  write_segment(path, 256, 640);
  {
    MetricsWriter writer(path);  // a segment that evaluates once more where the one before it ended
    StartMetrics start;
    start.samples = 640;
    writer.write(start);
    EvaluateMetrics again = evaluate_line(640);
    again.loss = 0.125;
    writer.write(again);
  }
  const Metrics metrics = read_metrics(path);
  CHECK(samples_of(metrics.starts) == std::vector<int64_t>{0, 256, 256, 640});
  CHECK(samples_of(metrics.train) == std::vector<int64_t>{128, 256, 384, 512, 640});
  CHECK(samples_of(metrics.evaluations) == std::vector<int64_t>{128, 256, 384, 512, 640});
  std::vector<int64_t> segments;
  for (const TrainMetrics& line : metrics.train) segments.push_back(line.segment);
  CHECK(segments == std::vector<int64_t>{0, 0, 2, 2, 2});
  CHECK(metrics.evaluations.back().loss == 0.125);
}

TEST_CASE("a failed write is described, and the next line is whole") {
  for (const auto fault : {FaultyFiles::Fault::once, FaultyFiles::Fault::short_write}) {
    const TemporaryFolder folder;
    const std::string path = folder / "m";
    FaultyFiles files(fault, 3, ENOSPC);
    MetricsWriter writer(path, files);
    CHECK_FALSE(writer.write(train_line(128)));
    const auto failure = writer.write(train_line(256));
    CHECK(failure.has_value() == (fault == FaultyFiles::Fault::once));
    if (failure) CHECK(*failure == path + ": cannot write: No space left on device");
    CHECK_FALSE(writer.write(train_line(384)));
    const Metrics metrics = read_metrics(path);
    CHECK(samples_of(metrics.train).back() == 384);
    CHECK(metrics.train.size() == (failure ? 2u : 3u));
  }
}

TEST_CASE("a write that fails in mid-line costs that line only") {
  class HalfWritten : public FileSystem {
   public:
    int calls = 0;
    ssize_t write(int descriptor, const void* data, size_t bytes) override {
      errno = ENOSPC;
      ++calls;
      if (calls == 3) return -1;
      return FileSystem::write(descriptor, data, calls == 2 ? bytes / 2 : bytes);
    }
  } files;
  const TemporaryFolder folder;
  MetricsWriter writer(folder / "m", files);
  CHECK_FALSE(writer.write(train_line(128)));
  CHECK(writer.write(train_line(256)));
  CHECK_FALSE(writer.write(train_line(384)));
  const Metrics metrics = read_metrics(folder / "m");
  CHECK(samples_of(metrics.train) == std::vector<int64_t>{128, 384});
  CHECK(metrics.torn_lines == 1);
}

TEST_CASE("a file that holds something else is refused by line and field") {
  const TemporaryFolder folder;
  const std::string path = folder / "m";
  CHECK(error_of([&] { read_metrics(path); }) == path + ": cannot be read");
  const auto message = [&](const std::string& text) {
    write_text(path, text);
    return error_of([&] { read_metrics(path); });
  };
  const std::string start = R"({"event":"start","segment":0,"samples":0,"updates":0,"time":"now"})";
  CHECK(message(start + "\n[1]\n") ==
        path + ": line 2: not an event, expected start, train, evaluate or end");
  CHECK(message(R"({"event":7})") == path + ": line 1: not an event, expected start, train, evaluate or end");
  CHECK(message(start + "\n{\"event\":\"start\",\"segment\":0}\n") == path + ": line 2: samples is missing");
  CHECK(message(R"({"event":"start","segment":"0"})") == path + ": line 1: segment has the wrong type");
}

TEST_CASE("the median accuracy is that of the last five epochs") {
  const auto median = [](double first, double step, const std::vector<double>& accuracies) {
    std::vector<EvaluateMetrics> lines;
    for (const double accuracy : accuracies) {
      lines.emplace_back();
      lines.back().epoch = first + step * static_cast<double>(lines.size() - 1);
      lines.back().accuracy = accuracy;
    }
    return median_accuracy(lines);
  };
  CHECK_FALSE(median(1, 1, {}));
  CHECK_FALSE(median(1, 1, {0.1, 0.2, 0.3, 0.4}));
  CHECK(median(1, 1, {0.1, 0.5, 0.2, 0.4, 0.3}) == 0.3);
  CHECK(median(1, 1, {0.9, 0.9, 0.9, 0.1, 0.5, 0.2, 0.4, 0.3}) == 0.3);
  // Evaluations every half epoch: ten lie there, at 6, 6.5 ... 10.5.
  CHECK(median(5, 0.5, {1, 1, 1, 1, 1, 1, 1, 0.25, 0.5, 0.25, 0.5, 0.25}) == 0.75);
  CHECK_FALSE(median(1, 2, {0.1, 0.2, 0.3, 0.4, 0.5, 0.6}));
  // Each a little after its epoch's end, as where batches reach over it.
  CHECK(median(1.04, 1.01, {0.9, 0.9, 0.1, 0.5, 0.2, 0.4, 0.3}) == 0.3);
}

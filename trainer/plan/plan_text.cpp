#include "trainer/plan/plan_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <span>

#include "trainer/record/progress.h"

namespace crescendo {

namespace {

using Row = std::vector<std::string>;

constexpr size_t kRowsShown = 24;  // a cosine schedule has hundreds of batches

std::string number(double value) { return fmt::format("{:.4g}", value); }

// Consecutive segments, which share a row of the table.
struct RowSegments {
  size_t first = 0, count = 1;

  std::span<const PlanSegment> of(const std::vector<PlanSegment>& all) const {
    return std::span(all).subspan(first, count);
  }
};

// Returns the segments of each row. With workers, consecutive segments of one batch share a row, since the
// useful number of workers depends on the batch alone.
std::vector<RowSegments> row_segments(const Plan& plan, bool with_workers) {
  std::vector<RowSegments> rows;
  for (size_t i = 0; i < plan.segments.size(); ++i) {
    const bool joins = with_workers && i > 0 && plan.segments[i].batch == plan.segments[i - 1].batch;
    if (joins)
      ++rows.back().count;
    else
      rows.push_back({.first = i});
  }
  return rows;
}

// Returns the first value, those at which rising and falling change, and the last: "0.1 to 3.2 to 0.0032".
std::string course(std::span<const PlanSegment> segments, double PlanSegment::*first,
                   double PlanSegment::*last) {
  std::vector<double> turns;
  const auto add = [&](double value) {
    const size_t n = turns.size();
    if (n > 0 && turns[n - 1] == value) return;
    const bool goes_on = n > 1 && (turns[n - 2] < turns[n - 1]) == (turns[n - 1] < value);
    if (goes_on) turns.pop_back();
    turns.push_back(value);
  };
  for (const PlanSegment& segment : segments) {
    add(segment.*first);
    add(segment.*last);
  }
  std::string text;
  for (const double value : turns) text += (text.empty() ? "" : " to ") + number(value);
  return text;
}

Row segments_row(std::span<const PlanSegment> segments) {
  const PlanSegment &first = segments.front(), &last = segments.back();
  int64_t updates = 0;
  for (const PlanSegment& segment : segments) updates += segment.updates;
  return {number(first.first_epoch) + " to " + number(last.first_epoch + last.epochs),
          std::to_string(first.batch),
          course(segments, &PlanSegment::learning_rate, &PlanSegment::last_learning_rate),
          number(first.momentum),
          course(segments, &PlanSegment::noise_scale, &PlanSegment::last_noise_scale),
          std::to_string(updates)};
}

// Adds how many workers the row's segments can use, and how well.
void add_workers(const Plan& plan, const WorkersPlan& workers, RowSegments segments, bool measured,
                 Row& row) {
  const SegmentWorkers& first = workers.segments[segments.first];
  row.push_back(std::to_string(plan.segments[segments.first].batch / plan.ghost_batch));
  row.push_back(std::to_string(first.workers));
  row.push_back(fmt::format("{:.2f}", first.efficiency));
  if (!measured) return;
  double seconds = 0;
  for (size_t i = 0; i < segments.count; ++i) seconds += workers.segments[segments.first + i].seconds;
  row.push_back(duration_text(seconds));
}

std::string aligned(const std::vector<Row>& rows) {
  std::vector<size_t> widths(rows.front().size(), 0);
  for (const Row& row : rows)
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  std::string text;
  for (const Row& row : rows) {
    for (size_t i = 0; i < row.size(); ++i)
      text += fmt::format("{}{:>{}}", i == 0 ? "" : "  ", row[i], widths[i]);
    text += '\n';
  }
  return text;
}

std::optional<WorkersPlan> workers_of(const Plan& plan, const PlanExtras& extras) {
  if (!extras.workers) return {};
  return plan_workers(plan, *extras.workers);
}

std::string table(const Plan& plan, const PlanExtras& extras) {
  std::vector<Row> rows = {{"epochs", "batch", "learning rate", "momentum", "noise scale", "updates"}};
  const std::optional<WorkersPlan> workers = workers_of(plan, extras);
  if (workers) rows.front().insert(rows.front().end(), {"ghost batches", "workers", "efficiency"});
  if (workers && extras.workers->measured) rows.front().emplace_back("time");
  const std::vector<RowSegments> segments = row_segments(plan, workers.has_value());
  const size_t count = segments.size();
  for (size_t i = 0; i < count; ++i) {
    const bool left_out = count > kRowsShown && i >= kRowsShown / 2 && i < count - kRowsShown / 2;
    if (!left_out) rows.push_back(segments_row(segments[i].of(plan.segments)));
    if (!left_out && workers) add_workers(plan, *workers, segments[i], extras.workers->measured, rows.back());
    if (left_out && i == kRowsShown / 2) rows.push_back(Row(rows.front().size(), "..."));
  }
  std::string text = aligned(rows);
  if (count > kRowsShown)
    text += fmt::format("({} more rows are left out; --json has all segments)\n", count - kRowsShown);
  return text;
}

std::string totals(const Plan& plan) {
  std::string text = fmt::format("\n{} updates", plan.updates);
  if (plan.updates > 0 && plan.updates < plan.decaying_updates)
    text += fmt::format(", {:.1f} times fewer than the {} of the decaying schedule",
                        static_cast<double>(plan.decaying_updates) / static_cast<double>(plan.updates),
                        plan.decaying_updates);
  return text + fmt::format("; {} images, {} epoch{}\n", plan.train_images, plan.epochs,
                            plan.epochs == 1 ? "" : "s");
}

std::string memory_line(const TrainingMemory& memory) {
  const double mebibyte = 1 << 20;
  return fmt::format(
      "{:.0f} MiB of memory with micro-batch {}, whatever the batch; {:.0f} MiB of it for parameters\n",
      static_cast<double>(memory.peak_bytes) / mebibyte, memory.micro_batch,
      static_cast<double>(memory.parameter_bytes) / mebibyte);
}

std::string hours(double seconds) { return fmt::format("{:.4g} worker-hours", seconds / 3600); }

std::string workers_lines(const Plan& plan, const Workforce& force) {
  const WorkersPlan workers = plan_workers(plan, force);
  const double faster = workers.one.seconds / workers.growing.seconds;
  std::string text =
      fmt::format("with workers that join as the batch grows, {} at most: {:.1f} times as fast as one",
                  force.most, faster);
  if (force.measured)
    text += fmt::format(", {} and {}\n{} workers throughout: {} and {}; one: {}",
                        duration_text(workers.growing.seconds), hours(workers.growing.worker_seconds),
                        force.most, duration_text(workers.most.seconds), hours(workers.most.worker_seconds),
                        duration_text(workers.one.seconds));
  else
    text += "\ntimes need --seconds-per-ghost, which step_bench --cost-model measures";
  if (force.cost.bandwidth == 0) text += "; the exchange of sums is assumed to take no time";
  return text + "\n";
}

// Returns why some segments cannot be shared; empty if all can.
std::string unshared(const Plan& plan) {
  int64_t updates = 0;
  for (const PlanSegment& segment : plan.segments)
    if (segment.batch == plan.ghost_batch) updates += segment.updates;
  if (updates == 0) return "";
  return fmt::format("{} of {} updates are one ghost batch, which workers cannot share", updates,
                     plan.updates);
}

std::vector<std::string> all_warnings(const Plan& plan, const PlanExtras& extras) {
  std::vector<std::string> warnings = plan.warnings;
  if (!extras.workers || extras.workers->most == 1) return warnings;
  if (const std::string reason = unshared(plan); !reason.empty()) warnings.push_back(reason);
  return warnings;
}

nlohmann::ordered_json segment_json(const PlanSegment& segment) {
  nlohmann::ordered_json json = {{"first_epoch", segment.first_epoch},
                                 {"epochs", segment.epochs},
                                 {"batch", segment.batch},
                                 {"learning_rate", segment.learning_rate},
                                 {"momentum", segment.momentum},
                                 {"noise_scale", segment.noise_scale},
                                 {"updates", segment.updates}};
  if (segment.last_learning_rate != segment.learning_rate) {
    json["last_learning_rate"] = segment.last_learning_rate;
    json["last_noise_scale"] = segment.last_noise_scale;
  }
  return json;
}

void add_workers(const SegmentWorkers& workers, bool measured, nlohmann::ordered_json& json) {
  json["workers"] = workers.workers;
  json["efficiency"] = workers.efficiency;
  if (measured) json["seconds"] = workers.seconds;
}

// Times are in seconds, or relative to one worker if they are not known.
nlohmann::ordered_json workers_json(const WorkersPlan& workers, const Workforce& force) {
  const double unit = force.measured ? 1 : workers.one.seconds;
  const auto times = [&](const RunTime& time) {
    return nlohmann::ordered_json{{"time", time.seconds / unit}, {"worker_time", time.worker_seconds / unit}};
  };
  return {{"most", force.most},
          {"time_unit", force.measured ? "second" : "run on one worker"},
          {"growing", times(workers.growing)},
          {"throughout", times(workers.most)},
          {"one", times(workers.one)}};
}

}  // namespace

std::string plan_text(const Plan& plan, const PlanExtras& extras) {
  std::string text = table(plan, extras) + totals(plan);
  if (extras.workers) text += workers_lines(plan, *extras.workers);
  if (extras.memory) text += memory_line(*extras.memory);
  for (const std::string& warning : all_warnings(plan, extras)) text += "warning: " + warning + "\n";
  return text;
}

std::string plan_json(const Plan& plan, const PlanExtras& extras) {
  nlohmann::ordered_json json = {{"segments", nlohmann::ordered_json::array()}, {"updates", plan.updates}};
  const std::optional<WorkersPlan> workers = workers_of(plan, extras);
  for (size_t i = 0; i < plan.segments.size(); ++i) {
    json["segments"].push_back(segment_json(plan.segments[i]));
    if (workers) add_workers(workers->segments[i], extras.workers->measured, json["segments"].back());
  }
  json["decaying_updates"] = plan.decaying_updates;
  json["train_images"] = plan.train_images;
  json["warnings"] = all_warnings(plan, extras);
  if (extras.memory) json["memory_bytes"] = extras.memory->peak_bytes;
  if (workers) json["workers"] = workers_json(*workers, *extras.workers);
  return json.dump(2) + "\n";
}

}  // namespace crescendo

#include "trainer/plan/plan_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "trainer/record/progress.h"

namespace crescendo {

namespace {

using Row = std::vector<std::string>;

constexpr size_t kRowsShown = 24;  // a cosine schedule has hundreds of batches

std::string number(double value) { return fmt::format("{:.4g}", value); }

std::string range(double first, double last) {
  return first == last ? number(first) : number(first) + " to " + number(last);
}

Row segment_row(const Plan& plan, const PlanSegment& segment, const PlanExtras& extras) {
  Row row = {number(segment.first_epoch) + " to " + number(segment.first_epoch + segment.epochs),
             std::to_string(segment.batch),
             range(segment.learning_rate, segment.last_learning_rate),
             number(segment.momentum),
             range(segment.noise_scale, segment.last_noise_scale),
             std::to_string(segment.updates)};
  if (extras.workers)
    row.push_back(
        duration_text(predicted_seconds(segment.updates, segment.batch, plan.ghost_batch, *extras.workers)));
  return row;
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

std::string table(const Plan& plan, const PlanExtras& extras) {
  std::vector<Row> rows = {{"epochs", "batch", "learning rate", "momentum", "noise scale", "updates"}};
  if (extras.workers) rows.front().push_back("time");
  const size_t count = plan.segments.size();
  for (size_t i = 0; i < count; ++i) {
    const bool left_out = count > kRowsShown && i >= kRowsShown / 2 && i < count - kRowsShown / 2;
    if (!left_out) rows.push_back(segment_row(plan, plan.segments[i], extras));
    if (left_out && i == kRowsShown / 2) rows.push_back(Row(rows.front().size(), "..."));
  }
  std::string text = aligned(rows);
  if (count > kRowsShown)
    text += fmt::format("({} more segments are left out; --json has them all)\n", count - kRowsShown);
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

std::string time_lines(const Plan& plan, const Workers& workers) {
  const double decaying =
      predicted_seconds(plan.decaying_updates, plan.decaying_batch, plan.ghost_batch, workers);
  return fmt::format(
      "{} on {} {}, {} for the decaying schedule; assuming that each ghost batch takes {} s on one\n"
      "worker, that an update waits for its last ghost batch, and that exchanging gradients takes no time\n",
      duration_text(predicted_seconds(plan, workers)), workers.count,
      workers.count == 1 ? "worker" : "workers", duration_text(decaying), workers.seconds_per_ghost);
}

std::vector<std::string> all_warnings(const Plan& plan, const PlanExtras& extras) {
  std::vector<std::string> warnings = plan.warnings;
  if (!extras.workers) return warnings;
  const std::string idle = idle_workers(plan, *extras.workers);
  if (!idle.empty()) warnings.push_back(idle);
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

}  // namespace

std::string plan_text(const Plan& plan, const PlanExtras& extras) {
  std::string text = table(plan, extras) + totals(plan);
  if (extras.workers) text += time_lines(plan, *extras.workers);
  if (extras.memory) text += memory_line(*extras.memory);
  for (const std::string& warning : all_warnings(plan, extras)) text += "warning: " + warning + "\n";
  return text;
}

std::string plan_json(const Plan& plan, const PlanExtras& extras) {
  nlohmann::ordered_json json = {{"segments", nlohmann::ordered_json::array()}, {"updates", plan.updates}};
  for (const PlanSegment& segment : plan.segments) json["segments"].push_back(segment_json(segment));
  json["decaying_updates"] = plan.decaying_updates;
  json["train_images"] = plan.train_images;
  json["warnings"] = all_warnings(plan, extras);
  if (extras.memory) json["memory_bytes"] = extras.memory->peak_bytes;
  if (extras.workers) {
    json["seconds"] = predicted_seconds(plan, *extras.workers);
    json["decaying_seconds"] =
        predicted_seconds(plan.decaying_updates, plan.decaying_batch, plan.ghost_batch, *extras.workers);
  }
  return json.dump(2) + "\n";
}

}  // namespace crescendo

#include "trainer/plan/workers_plan.h"

#include <fmt/format.h>

#include <cmath>

#include "trainer/options/option_table.h"

namespace crescendo {
namespace {

double segment_seconds(const Plan& plan, const PlanSegment& segment, const CostModel& cost, int64_t workers) {
  return static_cast<double>(segment.updates) *
         update_seconds(cost, segment.batch / plan.ghost_batch, workers);
}

RunTime throughout(const Plan& plan, const CostModel& cost, int64_t workers) {
  RunTime time;
  for (const PlanSegment& segment : plan.segments)
    time.seconds += segment_seconds(plan, segment, cost, workers);
  time.worker_seconds = static_cast<double>(workers) * time.seconds;
  return time;
}

std::string quoted(const std::string& word) {
  if (word.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:=+") ==
          std::string::npos &&
      !word.empty())
    return word;
  std::string text = "'";
  for (const char c : word) text += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return text + "'";
}

// Returns the flags of the options that are not as they are without flags, but those that a stage sets.
std::string flags_of(const TrainOptions& options) {
  const TrainOptions defaults;
  std::string text;
  for (const OptionField& field : option_fields()) {
    const bool of_stage = field.name == "run-dir" || field.name == "resume" || field.name == "max-updates" ||
                          field.name == "workers";
    if (of_stage || field.get(options) == field.get(defaults)) continue;
    text += " --" + field.name;
    if (field.form != OptionForm::flag) text += " " + quoted(field.get(options));
  }
  return text;
}

// Returns one and a half times the predicted time as Slurm writes it, in whole minutes; empty if none is known.
std::string time_limit(const Stage& stage, bool measured) {
  constexpr double kMargin = 1.5;
  if (!measured) return "";
  const auto minutes = static_cast<int64_t>(std::ceil(kMargin * stage.seconds / 60)) + 2;
  return fmt::format("{}-{:02}:{:02}:00", minutes / 1440, minutes / 60 % 24, minutes % 60);
}

}  // namespace

WorkersPlan plan_workers(const Plan& plan, const Workforce& force) {
  WorkersPlan result;
  for (const PlanSegment& segment : plan.segments) {
    const int64_t ghosts = segment.batch / plan.ghost_batch;
    SegmentWorkers own{.workers = useful_workers(force.cost, ghosts, force.most)};
    own.seconds = segment_seconds(plan, segment, force.cost, own.workers);
    own.efficiency = efficiency(force.cost, ghosts, own.workers);
    result.growing.seconds += own.seconds;
    result.growing.worker_seconds += static_cast<double>(own.workers) * own.seconds;
    result.segments.push_back(own);
  }
  result.one = throughout(plan, force.cost, 1);
  result.most = throughout(plan, force.cost, force.most);
  return result;
}

std::vector<Stage> stages(const Plan& plan, const WorkersPlan& workers) {
  std::vector<Stage> found;
  int64_t updates = 0;
  for (size_t i = 0; i < plan.segments.size(); ++i) {
    const SegmentWorkers& segment = workers.segments[i];
    if (found.empty() || found.back().workers != segment.workers)
      found.push_back({.workers = segment.workers});
    updates += plan.segments[i].updates;
    found.back().last_update = updates;
    found.back().seconds += segment.seconds;
  }
  if (!found.empty()) found.back().last_update = -1;
  return found;
}

std::string sbatch_script(const std::vector<Stage>& stages, const TrainOptions& options, bool measured) {
  std::string text = R"(#!/usr/bin/env bash
# Submits the jobs of one training run to Slurm. Each has as many workers as its batches can use, and begins when the
# one before has ended well; if that one fails, Slurm removes the jobs after it. Look at the settings, then run this
# script on a login node. If a job was lost, run the script again: jobs whose updates are done end at once.
set -euo pipefail

program=crescendo  # on every node
)";
  text += fmt::format("run_dir={}\n", quoted(options.run_dir.empty() ? "runs/a" : options.run_dir));
  text += R"(settings=(--ntasks-per-node=8 --cpus-per-task=4)  # of sbatch: partition, account, GPUs ...
)";
  text += "train=(train" + flags_of(options) + ")\n";
  text += R"(
# stage WORKERS LAST_UPDATE TIME: submits a job for the updates up to LAST_UPDATE, "all" for the end of the run.
previous=
stage() {
  local command
  printf -v command '%q ' srun --mpi=pmix --kill-on-bad-exit=1 "$program" "${train[@]}" --run-dir "$run_dir" --resume \
    --workers "$1" --max-updates "$2"
  previous=$(sbatch --parsable --job-name=crescendo --ntasks="$1" --signal=USR1@120 ${3:+--time="$3"} \
    ${previous:+--dependency=afterok:"$previous" --kill-on-invalid-dep=yes} "${settings[@]}" --wrap "$command")
  previous=${previous%%;*}  # sbatch prints JOB;CLUSTER where there are several clusters
  echo "job $previous: $1 workers, up to update $2"
}

)";
  for (const Stage& stage : stages)
    text += fmt::format("stage {} {} {}\n", stage.workers,
                        stage.last_update < 0 ? "all" : std::to_string(stage.last_update),
                        measured ? time_limit(stage, measured) : "''");
  return text;
}

}  // namespace crescendo

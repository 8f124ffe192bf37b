// How many workers each segment of a run can use, and what that saves.
#pragma once

#include <vector>

#include "trainer/plan/cost_model.h"
#include "trainer/plan/plan.h"

namespace crescendo {

// The workers that a run may have.
struct Workforce {
  int64_t most = 1;
  CostModel cost{.per_ghost = 1};
  bool measured = false;  // false: times are in ghost batches, not seconds
};

struct SegmentWorkers {
  int64_t workers = 1;
  double seconds = 0;
  double efficiency = 1;
};

// Seconds of a whole run, and the sum over the workers that it keeps.
struct RunTime {
  double seconds = 0, worker_seconds = 0;
};

struct WorkersPlan {
  std::vector<SegmentWorkers> segments;  // one for each of Plan::segments
  RunTime growing;                       // each segment with its useful workers
  RunTime one, most;                     // one worker throughout, and the most
};

WorkersPlan plan_workers(const Plan& plan, const Workforce& force);

// A part of a run with one number of workers.
struct Stage {
  int64_t workers = 1;
  int64_t last_update = -1;  // -1: the end of the run
  double seconds = 0;
};
std::vector<Stage> stages(const Plan& plan, const WorkersPlan& workers);

// Returns a shell script that submits one Slurm job for each stage of a run. Each begins when the one before
// has ended.
std::string sbatch_script(const std::vector<Stage>& stages, const TrainOptions& options, bool measured);

}  // namespace crescendo

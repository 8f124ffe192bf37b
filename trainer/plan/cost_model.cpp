#include "trainer/plan/cost_model.h"

#include <algorithm>
#include <cmath>

namespace crescendo {
namespace {

int64_t rounds(int64_t ghosts, int64_t workers) { return ghosts / workers + (ghosts % workers > 0 ? 1 : 0); }

}  // namespace

double exchange_seconds(const CostModel& cost, int64_t workers) {
  if (workers == 1) return 0;
  const auto n = static_cast<double>(workers);
  const double transfer =
      cost.bandwidth > 0 ? 2 * (n - 1) / n * static_cast<double>(cost.bytes) / cost.bandwidth : 0;
  return 2 * std::log2(n) * cost.latency + transfer;
}

double update_seconds(const CostModel& cost, int64_t ghosts, int64_t workers) {
  const double slowest = 1 + cost.spread * std::sqrt(2 * std::log(static_cast<double>(workers)));
  return cost.per_update + static_cast<double>(rounds(ghosts, workers)) * cost.per_ghost * slowest +
         std::max(0.0, exchange_seconds(cost, workers) - cost.hidden);
}

double efficiency(const CostModel& cost, int64_t ghosts, int64_t workers) {
  return update_seconds(cost, ghosts, 1) /
         (static_cast<double>(workers) * update_seconds(cost, ghosts, workers));
}

int64_t useful_workers(const CostModel& cost, int64_t ghosts, int64_t most) {
  constexpr double kWell = 0.8;
  int64_t useful = 1;
  // The counts at which ceil(ghosts / workers) falls, one for each of its values.
  for (int64_t each = ghosts; each > 0;) {
    const int64_t workers = rounds(ghosts, each);
    if (workers > most) break;
    if (efficiency(cost, ghosts, workers) >= kWell) useful = workers;
    each = rounds(ghosts, workers) - 1;
  }
  return useful;
}

CostModel fit_cost(const UpdateTime& a, const UpdateTime& b) {
  const double slope = (b.seconds - a.seconds) / (b.ghosts - a.ghosts);
  const double rest = a.seconds - slope * a.ghosts;
  if (slope > 0 && rest >= 0) return {.per_ghost = slope, .per_update = rest};
  return {.per_ghost =
              (a.ghosts * a.seconds + b.ghosts * b.seconds) / (a.ghosts * a.ghosts + b.ghosts * b.ghosts)};
}

}  // namespace crescendo

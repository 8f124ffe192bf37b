#include "trainer/workers/balance.h"

#include <algorithm>
#include <functional>
#include <numeric>
#include <queue>
#include <utility>

namespace crescendo {

void Balance::note(const std::vector<UpdateReport>& reports) {
  constexpr double kKeep = 0.9;     // of the weight of earlier updates
  constexpr double kForget = 0.02;  // of an idle worker's time, so that it is tried again
  for (size_t rank = 0; rank < speeds_.size(); ++rank) {
    if (reports[rank].ghosts == 0) continue;
    Speed& speed = speeds_[rank];
    speed = {.computed = kKeep * speed.computed + reports[rank].computed,
             .ghosts = kKeep * speed.ghosts + static_cast<double>(reports[rank].ghosts)};
  }
  if (!are_measured()) return;
  double fastest = speeds_[0].seconds_per_ghost();
  for (const Speed& speed : speeds_) fastest = std::min(fastest, speed.seconds_per_ghost());
  for (size_t rank = 0; rank < speeds_.size(); ++rank)
    if (reports[rank].ghosts == 0)
      speeds_[rank].computed += kForget * (fastest * speeds_[rank].ghosts - speeds_[rank].computed);
}

bool Balance::are_measured() const {
  return std::all_of(speeds_.begin(), speeds_.end(),
                     [](const Speed& speed) { return speed.ghosts > 0 && speed.computed > 0; });
}

std::vector<int64_t> Balance::shares(int64_t chunks) const {
  const bool measured = are_measured();
  const auto time = [&](size_t rank) { return measured ? speeds_[rank].seconds_per_ghost() : 1.0; };
  // A worker and the time at which it would be done with one chunk more; of equal ones the lower rank comes
  // first.
  using Candidate = std::pair<double, size_t>;
  std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>> candidates;
  for (size_t rank = 0; rank < speeds_.size(); ++rank) candidates.emplace(time(rank), rank);
  std::vector<int64_t> shares(speeds_.size());
  for (int64_t chunk = 0; chunk < chunks; ++chunk) {
    const auto [end, rank] = candidates.top();
    candidates.pop();
    ++shares[rank];
    candidates.emplace(end + time(rank), rank);
  }
  return shares;
}

SampleRange share_of(const SampleRange& whole, int64_t chunk, const std::vector<int64_t>& shares, int rank) {
  const int64_t before = std::accumulate(shares.begin(), shares.begin() + rank, int64_t{0});
  return {whole.first + before * chunk, shares[static_cast<size_t>(rank)] * chunk};
}

}  // namespace crescendo

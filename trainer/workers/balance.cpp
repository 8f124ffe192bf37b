#include "trainer/workers/balance.h"

#include <algorithm>
#include <numeric>
#include <queue>

namespace crescendo {

void Balance::note(const std::vector<UpdateReport>& reports) {
  constexpr double kNew = 0.2;      // weight of the present update
  constexpr double kForget = 0.02;  // of an idle worker's time, so that it is tried again
  for (size_t rank = 0; rank < seconds_.size(); ++rank) {
    if (reports[rank].ghosts == 0) continue;
    const double now = reports[rank].computed / static_cast<double>(reports[rank].ghosts);
    seconds_[rank] = seconds_[rank] == 0 ? now : (1 - kNew) * seconds_[rank] + kNew * now;
  }
  const double fastest = *std::min_element(seconds_.begin(), seconds_.end());
  for (size_t rank = 0; rank < seconds_.size(); ++rank)
    if (reports[rank].ghosts == 0) seconds_[rank] = (1 - kForget) * seconds_[rank] + kForget * fastest;
}

std::vector<int64_t> Balance::shares(int64_t chunks) const {
  const bool measured = std::find(seconds_.begin(), seconds_.end(), 0.0) == seconds_.end();
  // A worker and the time at which it would be done with one chunk more; of equal ones the lower rank comes
  // first.
  using Candidate = std::pair<double, size_t>;
  std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>> candidates;
  const auto time = [&](size_t rank) { return measured ? seconds_[rank] : 1.0; };
  for (size_t rank = 0; rank < seconds_.size(); ++rank) candidates.emplace(time(rank), rank);
  std::vector<int64_t> shares(seconds_.size());
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

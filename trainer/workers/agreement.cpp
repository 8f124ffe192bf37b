#include "trainer/workers/agreement.h"

#include <algorithm>

namespace crescendo {

Agreement agree(const std::vector<UpdateReport>& reports) {
  Agreement agreed{.save_due = reports[0].save_due, .show_due = reports[0].show_due};
  agreed.exchange = reports[0].exchanged;
  for (const UpdateReport& report : reports) {
    agreed.signal = std::max(agreed.signal, static_cast<int>(report.signal));
    agreed.exchange = std::min(agreed.exchange, report.exchanged);
  }
  agreed.waiting = reports[0].exchanged - agreed.exchange;
  return agreed;
}

std::optional<SlowWorkers::Slow> SlowWorkers::note(const std::vector<UpdateReport>& reports) {
  constexpr int64_t kUpdates = 25;
  constexpr double kSeconds = 10;
  for (size_t rank = 0; rank < seconds_.size(); ++rank) {
    seconds_[rank].computed += reports[rank].computed;
    seconds_[rank].ghosts += reports[rank].ghosts;
  }
  const auto faster = [](const Seconds& a, const Seconds& b) { return a.computed < b.computed; };
  if (++updates_ < kUpdates ||
      std::max_element(seconds_.begin(), seconds_.end(), faster)->computed < kSeconds)
    return {};
  updates_ = 0;
  const std::optional<Slow> found = slowest();
  if (found) seconds_[static_cast<size_t>(found->rank)].named = true;
  for (Seconds& worker : seconds_) worker = {.named = worker.named};
  return found;
}

std::optional<SlowWorkers::Slow> SlowWorkers::slowest() const {
  constexpr double kMuch = 1.5;
  const auto each = [](const Seconds& worker) {
    return worker.computed / static_cast<double>(worker.ghosts);
  };
  std::vector<double> times;
  for (const Seconds& worker : seconds_)
    if (worker.ghosts > 0) times.push_back(each(worker));
  if (times.size() < 2) return {};
  const auto middle = times.begin() + static_cast<std::ptrdiff_t>((times.size() - 1) / 2);
  std::nth_element(times.begin(), middle, times.end());
  Slow slow{.rank = -1, .factor = kMuch};
  for (size_t rank = 0; rank < seconds_.size(); ++rank) {
    const Seconds& worker = seconds_[rank];
    if (worker.named || worker.ghosts == 0 || each(worker) < slow.factor * *middle) continue;
    slow = {.rank = static_cast<int>(rank), .factor = each(worker) / *middle};
  }
  return slow.rank < 0 ? std::nullopt : std::optional(slow);
}

}  // namespace crescendo

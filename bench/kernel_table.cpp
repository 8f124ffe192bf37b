#include "kernel_table.h"

#include <fmt/format.h>

#include <algorithm>

namespace crescendo::bench {
namespace {

using Run = benchmark::BenchmarkReporter::Run;

double counter(const Run& run, const char* name) {
  const auto found = run.counters.find(name);
  return found == run.counters.end() ? 0.0 : found->second.value;
}

std::string time_text(double seconds) {
  if (seconds < 1e-6) return fmt::format("{:.0f} ns", seconds * 1e9);
  if (seconds < 1e-3) return fmt::format("{:.2f} us", seconds * 1e6);
  return fmt::format("{:.3f} ms", seconds * 1e3);
}

std::string share_text(double share) { return share > 0 ? fmt::format("{:.0f} %", share * 100) : ""; }

// Shows the rate that limits the kernel.
std::string rate_text(const Run& run) {
  const double gflops = counter(run, kGflops);
  return gflops > 0 ? fmt::format("{:.1f} GFLOP/s", gflops)
                    : fmt::format("{:.2f} GB/s", counter(run, kGigabytes));
}

double seconds_of(const Run& run) {
  return run.GetAdjustedRealTime() / benchmark::GetTimeUnitMultiplier(run.time_unit);
}

// Returns true for the run that the table shows: the median of a repeated benchmark, or the only run.
bool is_result(const Run& run) {
  const bool aggregate = run.run_type == Run::RT_Aggregate;
  return run.repetitions > 1 ? aggregate && run.aggregate_name == "median" : !aggregate;
}

}  // namespace

bool KernelTable::ReportContext(const Context& context) {
  fmt::print("{}\n", heading_);
  name_width_ = std::max<size_t>(context.name_field_width, 8);
  fmt::print("{:<{}} {:>11} {:>15} {:>7} {:>9}", "kernel/sizes", name_width_, "time", "rate", "of peak",
             "of memory");
  if (with_peer_) fmt::print(" {:>11} {:>7}", "peer", "ratio");
  fmt::print("\n");
  return true;
}

void KernelTable::ReportRuns(const std::vector<Run>& runs) {
  for (const Run& run : runs)
    if (is_result(run)) print(run);
}

void KernelTable::print(const Run& run) {
  const double seconds = seconds_of(run), peer_seconds = counter(run, kPeerSeconds);
  const std::string name = run.run_name.str();
  fmt::print("{:<{}} {:>11} {:>15} {:>7} {:>9}", name, name_width_, time_text(seconds), rate_text(run),
             share_text(counter(run, kPeakShare)), share_text(counter(run, kBandwidthShare)));
  if (peer_seconds > 0) fmt::print(" {:>11} {:>7.2f}", time_text(peer_seconds), counter(run, kRatio));
  fmt::print("\n");
  std::fflush(stdout);

  const double times = counter(run, kTimesInModel);
  if (times == 0) return;
  Total& total = totals_[name.substr(0, name.find('/'))];
  total.seconds += times * seconds;
  total.peer_seconds += times * peer_seconds;
  total.flops += times * seconds * counter(run, kGflops) * 1e9;
  total.convolutions += static_cast<int>(times);
}

void KernelTable::Finalize() {
  if (totals_.empty()) return;
  fmt::print("\nEach layer as often as the model has it:\n");
  for (const auto& [kernel, total] : totals_) {
    fmt::print("{:<22} {:>3} convolutions {:>11} {:>15}", kernel, total.convolutions,
               time_text(total.seconds), fmt::format("{:.1f} GFLOP/s", total.flops / total.seconds / 1e9));
    if (total.peer_seconds > 0)
      fmt::print("   peer {:>11}, ratio {:.2f}", time_text(total.peer_seconds),
                 total.peer_seconds / total.seconds);
    fmt::print("\n");
  }
}

}  // namespace crescendo::bench

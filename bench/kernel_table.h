// The table that kernel_bench prints, and what each line of it is computed from.
#pragma once

#include <benchmark/benchmark.h>

#include <map>
#include <string>
#include <vector>

namespace crescendo::bench {

// Names of the counters a benchmark sets; the JSON output has them too.
inline constexpr char kGflops[] = "gflops";  // of the direct definition, 2 a multiply-add
inline constexpr char kGigabytes[] = "gbytes_per_second";
inline constexpr char kPeakShare[] = "peak_share";
inline constexpr char kBandwidthShare[] = "bandwidth_share";
inline constexpr char kTimesInModel[] = "times_in_model";
inline constexpr char kPeerSeconds[] = "peer_seconds";
inline constexpr char kRatio[] = "ratio";  // the peer's time through ours: above 1 we are faster

// One line a benchmark; of repetitions, their medians. At the end, where benchmarks are layers of a model,
// the sum of each pass over all its layers.
class KernelTable final : public benchmark::BenchmarkReporter {
 public:
  // `heading` comes before the table, once there is one.
  KernelTable(std::string heading, bool with_peer) : heading_(std::move(heading)), with_peer_(with_peer) {}

  bool ReportContext(const Context& context) override;
  void ReportRuns(const std::vector<Run>& runs) override;
  void Finalize() override;

 private:
  struct Total {
    double seconds = 0, peer_seconds = 0, flops = 0;
    int convolutions = 0;
  };
  void print(const Run& run);

  std::string heading_;
  bool with_peer_;
  size_t name_width_ = 0;
  std::map<std::string, Total> totals_;  // by kernel
};

}  // namespace crescendo::bench

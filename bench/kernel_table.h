// The table that kernel_bench prints, and the counters that it shows.
#pragma once

#include <benchmark/benchmark.h>

#include <map>
#include <string>
#include <vector>

namespace crescendo::bench {

// Names of the counters a benchmark sets; the JSON output has them too.
inline constexpr char kGflops[] = "gflops";  // per second, by the direct definition; 2 per multiply-add
inline constexpr char kGigabytes[] = "gbytes_per_second";
inline constexpr char kPeakShare[] = "peak_share";
inline constexpr char kBandwidthShare[] = "bandwidth_share";
inline constexpr char kTimesInModel[] = "times_in_model";
inline constexpr char kPeerSeconds[] = "peer_seconds";
inline constexpr char kRatio[] = "ratio";  // the peer's time divided by ours: above 1 we are faster

// Prints one line per benchmark; with repetitions, the line shows their medians. If benchmarks are layers of
// a model, sums over all its layers follow, one for each pass.
class KernelTable final : public benchmark::BenchmarkReporter {
 public:
  // Prints `heading` before the table, but only if there are benchmarks to run.
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

#include "breakdown.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace crescendo::bench {
namespace {

std::vector<BreakdownLine> longest_first(std::vector<BreakdownLine> lines) {
  std::sort(lines.begin(), lines.end(), [](const auto& a, const auto& b) { return a.seconds > b.seconds; });
  return lines;
}

// Returns one line per kernel: the sums of its lines, with the rates of all its calls together.
std::vector<BreakdownLine> by_kernel(const std::vector<BreakdownLine>& lines) {
  std::map<std::string, BreakdownLine> sums;
  for (const BreakdownLine& line : lines) {
    BreakdownLine& sum = sums[line.name.kernel];
    sum.name.kernel = line.name.kernel;
    sum.calls += line.calls;
    sum.share += line.share;
    const double seconds = sum.seconds + line.seconds;
    sum.gflops = (sum.gflops * sum.seconds + line.gflops * line.seconds) / seconds;
    sum.gigabytes = (sum.gigabytes * sum.seconds + line.gigabytes * line.seconds) / seconds;
    sum.seconds = seconds;
  }
  std::vector<BreakdownLine> kernels;
  kernels.reserve(sums.size());
  for (const auto& [kernel, sum] : sums) kernels.push_back(sum);
  return longest_first(kernels);
}

std::string line_text(const BreakdownLine& line, size_t width) {
  const std::string name =
      line.name.sizes.empty() ? line.name.kernel : line.name.kernel + "/" + line.name.sizes;
  const std::string gflops = line.gflops > 0 ? fmt::format("{:.1f}", line.gflops) : "";
  const std::string gigabytes = line.gigabytes > 0 ? fmt::format("{:.1f}", line.gigabytes) : "";
  return fmt::format("{:<{}} {:>6.4g} {:>10.3f} {:>7.2f} {:>9} {:>7}\n", name, width, line.calls,
                     line.seconds * 1e3, line.share * 100, gflops, gigabytes);
}

}  // namespace

Breakdown::Breakdown(const std::map<KernelName, KernelTime>& times, double seconds, int64_t steps)
    : step_seconds_(seconds / static_cast<double>(steps)) {
  other_seconds = step_seconds_;
  for (const auto& [name, time] : times) {
    const auto count = static_cast<double>(steps);
    lines.push_back({.name = name,
                     .calls = static_cast<double>(time.calls) / count,
                     .seconds = time.seconds / count,
                     .share = time.seconds / seconds,
                     .gflops = 2 * time.multiply_adds / time.seconds / 1e9,
                     .gigabytes = time.bytes / time.seconds / 1e9});
    other_seconds -= time.seconds / count;
  }
  lines = longest_first(lines);
}

std::string Breakdown::table() const {
  size_t width = 6;
  for (const BreakdownLine& line : lines)
    width = std::max(width, line.name.kernel.size() + line.name.sizes.size() + 1);
  const std::string heading = fmt::format("{:<{}} {:>6} {:>10} {:>7} {:>9} {:>7}\n", "kernel", width, "calls",
                                          "ms", "%", "GFLOP/s", "GB/s");
  std::string text = heading;
  for (const BreakdownLine& line : lines) text += line_text(line, width);
  text += "\n" + heading;
  for (const BreakdownLine& sum : by_kernel(lines)) text += line_text(sum, width);
  BreakdownLine other;
  other.name.kernel = "outside of kernels";
  other.seconds = other_seconds;
  other.share = other_seconds / step_seconds_;
  return text + line_text(other, width);
}

nlohmann::json Breakdown::json() const {
  nlohmann::json all = nlohmann::json::array();
  for (const BreakdownLine& line : lines)
    all.push_back({{"kernel", line.name.kernel},
                   {"sizes", line.name.sizes},
                   {"calls_per_step", line.calls},
                   {"seconds_per_step", line.seconds},
                   {"share", line.share},
                   {"gflops", line.gflops},
                   {"gbytes_per_second", line.gigabytes}});
  return all;
}

}  // namespace crescendo::bench

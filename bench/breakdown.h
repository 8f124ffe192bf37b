// The time of a step, divided among kernels and their sizes.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "timing_backend.h"

namespace crescendo::bench {

// One kernel on one size. `share` is a fraction of the step's time.
struct BreakdownLine {
  KernelName name;
  double calls = 0, seconds = 0, share = 0;  // per step
  double gflops = 0, gigabytes = 0;          // per second
};

struct Breakdown {
  std::vector<BreakdownLine> lines;  // longest first
  double other_seconds = 0;          // per step, outside of kernels

  // Takes the times of the kernels of `steps` steps, which took `seconds` in all.
  Breakdown(const std::map<KernelName, KernelTime>& times, double seconds, int64_t steps);

  std::string table() const;  // the lines, sums by kernel, and the time outside of kernels
  nlohmann::json json() const;

 private:
  double step_seconds_;
};

}  // namespace crescendo::bench

// Where the time of a step goes, kernel by kernel and size by size.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "timing_backend.h"

namespace crescendo::bench {

struct BreakdownLine {
  KernelName name;
  double calls = 0, seconds = 0, share = 0;  // of one step
  double gflops = 0, gigabytes = 0;          // a second
};

struct Breakdown {
  std::vector<BreakdownLine> lines;  // longest first
  double other_seconds = 0;          // of a step, outside of kernels

  // `times` are those of `steps` steps, which took `seconds` in all.
  Breakdown(const std::map<KernelName, KernelTime>& times, double seconds, int64_t steps);

  std::string table() const;  // the lines, sums by kernel, and what is left
  nlohmann::json json() const;

 private:
  double step_seconds_;
};

}  // namespace crescendo::bench

// The processor cores for this process: how many it may use, and how busy other programs keep them.
#pragma once

#include <chrono>
#include <optional>
#include <string>

namespace crescendo {

// Returns the number of cores that this process may use: those of its affinity mask, and no more than the
// processor time that its control groups (a container's limit) allow, in cores, rounded up.
int allowed_cores();

// Returns the limit of the control groups, version 1 or 2, in cores, rounded up; INT_MAX without a limit.
// Reads <root>/proc/self/cgroup and <root>/sys/fs/cgroup.
int cores_of_control_groups(const std::string& root);

// Measures how many of the cores that this process may use are kept busy by other programs.
class OtherPrograms {
 public:
  OtherPrograms();  // starts the measurement

  double seconds() const;  // since the start
  // Returns the mean number of busy cores since the start; none where the system does not say.
  std::optional<double> busy_cores() const;

 private:
  std::chrono::steady_clock::time_point start_;
  std::optional<double> others_at_start_;
};

}  // namespace crescendo

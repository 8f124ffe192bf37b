// Version 2: the group's folder is /sys/fs/cgroup/PATH and its limit cpu.max, "QUOTA PERIOD" or "max PERIOD".
// Version 1: /sys/fs/cgroup/cpu/PATH, cpu.cfs_quota_us (-1: no limit) and cpu.cfs_period_us. A limit of a
// folder above holds too. In a container PATH may be a path of the host, which does not exist inside.
#include "base/cores.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <cmath>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <sstream>
#include <thread>

namespace crescendo {
namespace {

// Returns how many cores a quota is; INT_MAX for none.
int cores_of(double quota, double period) {
  if (!(quota > 0) || !(period > 0)) return INT_MAX;
  return static_cast<int>(std::clamp(std::ceil(quota / period), 1.0, 1e6));
}

double number_in(const std::string& path) {
  double number = -1;
  std::ifstream(path) >> number;
  return number;
}

int limit_of_folder(const std::string& folder, bool version_2) {
  if (!version_2)
    return cores_of(number_in(folder + "/cpu.cfs_quota_us"), number_in(folder + "/cpu.cfs_period_us"));
  double quota = -1, period = -1;
  std::ifstream(folder + "/cpu.max") >> quota >> period;  // "max" is no number
  return cores_of(quota, period);
}

// Returns the least limit of the folder base/path and those above it, up to `base`.
int limit_of(const std::string& base, std::string path, bool version_2) {
  int limit = limit_of_folder(base, version_2);
  while (path.size() > 1) {
    limit = std::min(limit, limit_of_folder(base + path, version_2));
    const size_t slash = path.rfind('/');
    path.resize(slash == std::string::npos ? 0 : slash);
  }
  return limit;
}

bool has_controller(const std::string& controllers, const std::string& wanted) {
  std::istringstream list(controllers);
  for (std::string name; std::getline(list, name, ',');)
    if (name == wanted) return true;
  return false;
}

}  // namespace

int cores_of_control_groups(const std::string& root) {
  const std::string groups = root + "/sys/fs/cgroup";
  std::ifstream file(root + "/proc/self/cgroup");
  int limit = INT_MAX;
  for (std::string line; std::getline(file, line);) {  // "NUMBER:CONTROLLERS:/PATH"
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1),
                      path = line.substr(second + 1);
    if (controllers.empty())
      limit = std::min(limit, limit_of(groups, path, true));
    else if (has_controller(controllers, "cpu"))
      limit = std::min(limit, limit_of(groups + "/cpu", path, false));
  }
  return limit;
}

namespace {

// Returns the seconds that the cores of the affinity mask have been busy since the system started, from the
// lines "cpuN user nice system idle iowait irq softirq ..." of /proc/stat.
std::optional<double> busy_seconds() {
  cpu_set_t mask;
  CPU_ZERO(&mask);
  if (sched_getaffinity(0, sizeof(mask), &mask) != 0) return std::nullopt;
  std::ifstream file("/proc/stat");
  double ticks = 0;
  bool found = false;
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string name;
    words >> name;
    const bool one_core = name.size() > 3 && name.starts_with("cpu");
    if (!one_core || !CPU_ISSET(std::strtoul(name.c_str() + 3, nullptr, 10), &mask)) continue;
    double user = 0, nice = 0, system = 0, idle = 0, waiting = 0, irq = 0, softirq = 0;
    found |= static_cast<bool>(words >> user >> nice >> system >> idle >> waiting >> irq >> softirq);
    ticks += user + nice + system + irq + softirq;
  }
  if (!found) return std::nullopt;
  return ticks / static_cast<double>(sysconf(_SC_CLK_TCK));
}

// Returns the same less what this process used.
std::optional<double> busy_seconds_of_others() {
  timespec own{};
  const auto busy = busy_seconds();
  if (!busy || clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &own) != 0) return std::nullopt;
  return *busy - static_cast<double>(own.tv_sec) - static_cast<double>(own.tv_nsec) * 1e-9;
}

}  // namespace

OtherPrograms::OtherPrograms()
    : start_(std::chrono::steady_clock::now()), others_at_start_(busy_seconds_of_others()) {}

double OtherPrograms::seconds() const {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
}

std::optional<double> OtherPrograms::busy_cores() const {
  const auto others = busy_seconds_of_others();
  if (!others || !others_at_start_) return std::nullopt;
  return std::max(0.0, (*others - *others_at_start_) / std::max(seconds(), 1e-9));
}

int allowed_cores() {
  static const int cores = [] {
    cpu_set_t mask;
    CPU_ZERO(&mask);
    const bool known = sched_getaffinity(0, sizeof(mask), &mask) == 0;  // fails beyond 1024 cores
    const int all = known ? CPU_COUNT(&mask) : static_cast<int>(std::thread::hardware_concurrency());
    return std::max(1, std::min(all, cores_of_control_groups("")));
  }();
  return cores;
}

}  // namespace crescendo

// The limits of control groups, on made-up system folders.
#include <doctest/doctest.h>
#include <sched.h>

#include <climits>
#include <ctime>
#include <filesystem>
#include <thread>
#include <vector>

#include "base/cores.h"
#include "support/temporary_folder.h"

namespace crescendo {
namespace {

void write(const std::string& path, const std::string& text) {
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  write_text(path, text);
}

}  // namespace

TEST_CASE("cores: a quota of version 2 counts, its own or that of a group above") {
  const TemporaryFolder root;
  write(root / "proc/self/cgroup", "0::/user/job\n");
  CHECK(cores_of_control_groups(root.path()) == INT_MAX);
  write(root / "sys/fs/cgroup/user/job/cpu.max", "max 100000\n");
  CHECK(cores_of_control_groups(root.path()) == INT_MAX);
  write(root / "sys/fs/cgroup/user/job/cpu.max", "250000 100000\n");
  CHECK(cores_of_control_groups(root.path()) == 3);
  write(root / "sys/fs/cgroup/user/cpu.max", "200000 100000\n");
  CHECK(cores_of_control_groups(root.path()) == 2);
  write(root / "sys/fs/cgroup/cpu.max", "50000 100000\n");  // the container's own, as it sees it
  CHECK(cores_of_control_groups(root.path()) == 1);
}

TEST_CASE("cores: a quota of version 1 counts, also where the group's path is the host's") {
  const TemporaryFolder root;
  write(root / "proc/self/cgroup",
        "5:cpuset:/docker/1f\n4:cpu,cpuacct:/docker/1f\n1:name=systemd:/docker/1f\n");
  CHECK(cores_of_control_groups(root.path()) == INT_MAX);
  write(root / "sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n");
  write(root / "sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
  CHECK(cores_of_control_groups(root.path()) == INT_MAX);
  write(root / "sys/fs/cgroup/cpu/cpu.cfs_quota_us", "400000\n");
  CHECK(cores_of_control_groups(root.path()) == 4);
  write(root / "sys/fs/cgroup/cpu/docker/1f/cpu.cfs_quota_us", "150000\n");
  write(root / "sys/fs/cgroup/cpu/docker/1f/cpu.cfs_period_us", "100000\n");
  CHECK(cores_of_control_groups(root.path()) == 2);
}

TEST_CASE("cores: at least one, and no more than the machine has") {
  CHECK(allowed_cores() >= 1);
  CHECK(allowed_cores() <= static_cast<int>(std::thread::hardware_concurrency()));
}

TEST_CASE("cores: this process is not among the other programs") {
  cpu_set_t mask;
  REQUIRE(sched_getaffinity(0, sizeof(mask), &mask) == 0);
  const OtherPrograms others;
  const std::clock_t begin = std::clock();
  {
    std::vector<std::jthread> busy;  // enough of them to have most of the cores, whoever else is there
    for (int i = 0; i < 4 * CPU_COUNT(&mask); ++i)
      busy.emplace_back([&] {
        volatile double sum = 0;
        while (others.seconds() < 0.4) sum = sum + 1;
      });
  }
  const std::optional<double> busy = others.busy_cores();
  REQUIRE(busy.has_value());
  const double own = static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC / others.seconds();
  CHECK(own > 0.1);
  CHECK(*busy < CPU_COUNT(&mask) - 0.9 * own + 0.1);  // the system counts in hundredths of a second
}

}  // namespace crescendo

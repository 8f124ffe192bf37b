// exchange_bench: measures how long several workers take to add up sums. To be started as a run is:
//   crescendo launch -n 4 --program build/exchange_bench
#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "program.h"
#include "trainer/workers/open_workers.h"

namespace crescendo::bench {
namespace {

struct Options {
  int64_t most = int64_t{1} << 23;  // sums
  int repeats = 20;
  bool json = false;
};

struct Exchange {
  int64_t sums;
  double seconds;  // median
};

double measure(Communicator& workers, int64_t sums, int repeats) {
  std::vector<int64_t> values(static_cast<size_t>(sums));
  std::vector<double> seconds;
  for (int repeat = 0; repeat < repeats + 2; ++repeat) {
    for (int64_t i = 0; i < sums; ++i) values[static_cast<size_t>(i)] = i + workers.rank();
    int64_t meeting = 0;
    workers.sum(std::span(&meeting, 1));
    const Stopwatch watch;
    workers.sum(values);
    if (repeat >= 2) seconds.push_back(watch.seconds());  // the first two touch memory
    const int64_t n = workers.size(), last = sums - 1;
    if (values[static_cast<size_t>(last)] != n * last + n * (n - 1) / 2)
      throw std::logic_error("exchange_bench: a sum is wrong");
  }
  return median(seconds);
}

// What the smallest and the largest exchange say of the time 2 log2(N) alpha + 2 (N - 1) / N bytes / beta.
struct Line {
  double latency, bandwidth;  // seconds, bytes per second
};

Line line_through(const std::vector<Exchange>& exchanges, int workers) {
  const Exchange &small = exchanges.front(), &large = exchanges.back();
  const double n = workers;
  const auto bytes = static_cast<double>((large.sums - small.sums) * static_cast<int64_t>(sizeof(int64_t)));
  return {.latency = small.seconds / (2 * std::log2(n)),
          .bandwidth = 2 * (n - 1) / n * bytes / (large.seconds - small.seconds)};
}

void print(const Options& options, const std::vector<Exchange>& exchanges, const Communicator& workers) {
  const Line line = line_through(exchanges, workers.size());
  if (options.json) {
    nlohmann::json json = {{"program", "exchange_bench"},  {"workers", workers.size()},
                           {"library", workers.library()}, {"latency", line.latency},
                           {"bandwidth", line.bandwidth},  {"exchanges", nlohmann::json::array()}};
    for (const Exchange& one : exchanges)
      json["exchanges"].push_back({{"sums", one.sums}, {"seconds", one.seconds}});
    fmt::print("{}\n", json.dump());
    return;
  }
  fmt::print("{} workers, {}\n{:>12} {:>12} {:>12}\n", workers.size(), workers.library(), "KiB", "ms",
             "MiB/s");
  for (const Exchange& one : exchanges) {
    const auto bytes = static_cast<double>(one.sums * static_cast<int64_t>(sizeof(int64_t)));
    fmt::print("{:>12.1f} {:>12.3f} {:>12.1f}\n", bytes / 1024, 1e3 * one.seconds,
               bytes / one.seconds / (1 << 20));
  }
  fmt::print("latency {:.1f} us, bandwidth {:.2f} GB/s\n", 1e6 * line.latency, line.bandwidth / 1e9);
}

int run(const Options& options) {
  const std::unique_ptr<Communicator> workers = open_workers(0);
  if (workers->size() == 1)
    throw std::invalid_argument("exchange_bench: needs several workers, e.g. mpirun -n 2 exchange_bench");
  std::vector<Exchange> exchanges;
  for (int64_t sums = 1; sums <= options.most; sums *= 8)
    exchanges.push_back({sums, measure(*workers, sums, options.repeats)});
  if (workers->rank() == 0) print(options, exchanges, *workers);
  return kDone;
}

}  // namespace
}  // namespace crescendo::bench

int main(int argc, char** argv) {
  using namespace crescendo::bench;
  Options options;
  CLI::App app("Measures how long several workers take to add up sums.", "exchange_bench");
  app.add_option("--most", options.most, "Largest number of 64-bit sums")->check(CLI::PositiveNumber);
  app.add_option("--repeats", options.repeats, "Number of timed exchanges of each size")
      ->check(CLI::PositiveNumber);
  app.add_flag("--json", options.json, "Print a JSON object");
  return run_program(app, argc, argv, [&] { return run(options); });
}

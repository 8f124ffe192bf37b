// conv2d_ladder: checks the versions of one convolution (docs/ladder.md) against the first one, then
// times them on one thread.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <ctime>
#include <limits>
#include <nlohmann/json.hpp>

#include "base/check.h"
#include "kernels/cpu/backend.h"
#include "ladder.h"
#include "peak.h"
#include "program.h"
#include "tests/support/random.h"

namespace crescendo::bench {
namespace {

struct Options {
  Layer layer{.images = 8, .size = 32, .channels = 64};
  int64_t rounds = 5;
  bool json = false;
};

Memory noise(int64_t n, uint32_t seed) {
  const std::vector<real> values = test::noise(n, seed);
  Memory memory = allocate(n);
  std::copy(values.begin(), values.end(), memory.get());
  return memory;
}

struct Operands {
  Memory x, weight, y;

  explicit Operands(const Layer& layer)
      : x(noise(layer.images * layer.image(), 1)),
        weight(noise(layer.channels * layer.filter(), 2)),
        y(allocate(layer.images * layer.image())) {}

  void run(const Version& version) const { version.run(x.get(), weight.get(), y.get()); }
};

struct Measured {
  Version version;
  // The largest difference from an output of the first version, and the difference that rounding explains.
  double difference = 0, tolerance = 0;
  std::vector<double> seconds;  // per call, one value for each round

  bool agrees() const { return difference <= tolerance; }
  double milliseconds() const { return median(seconds) * 1e3; }
  double gflops(const Layer& layer) const {
    return 2e-9 * static_cast<double>(layer.multiply_adds()) / median(seconds);
  }
};

// Returns the difference from the first version that rounding explains. Factors uniform in [-1, 1) have
// products with a root mean square of 1/3, so a sum of l products is near sqrt(l) / 3. Each addition rounds
// by at most half an epsilon of the sum. The errors of l additions add up, like a random walk, to less than
// epsilon * l / 6. Each of the two versions may have six times that error. Winograd's algorithm may have
// nine times as much as others, because its products are so much larger (docs/derivations/winograd.md).
double tolerance(const Layer& layer, const Version& version) {
  const double one_side =
      static_cast<double>(std::numeric_limits<real>::epsilon()) * static_cast<double>(layer.filter());
  return version.winograd ? 10 * one_side : 2 * one_side;
}

// Returns the largest difference from `expected`; infinity if `version` leaves an output unwritten.
double largest_difference(const Version& version, const Operands& operands,
                          const std::vector<real>& expected) {
  std::fill_n(operands.y.get(), expected.size(), std::numeric_limits<real>::quiet_NaN());
  operands.run(version);
  double largest = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    const double difference = std::abs(static_cast<double>(operands.y[static_cast<ptrdiff_t>(i)]) -
                                       static_cast<double>(expected[i]));
    if (std::isnan(difference)) return std::numeric_limits<double>::infinity();
    largest = std::max(largest, difference);
  }
  return largest;
}

std::vector<Measured> check_versions(const Layer& layer, const Operands& operands) {
  std::vector<Measured> all;
  for (const Version& version : versions(layer)) all.push_back({version, 0, tolerance(layer, version), {}});
  operands.run(all.front().version);
  const std::vector<real> expected(operands.y.get(), operands.y.get() + layer.images * layer.image());
  for (Measured& one : all) one.difference = largest_difference(one.version, operands, expected);
  return all;
}

// Returns the processor time of a call, to which other programs on the machine do not add.
// Makes at least one call.
double seconds_per_call(const Version& version, const Operands& operands) {
  constexpr std::clock_t kLeast = CLOCKS_PER_SEC / 50;
  const std::clock_t start = std::clock();
  std::clock_t passed = 0;
  int64_t calls = 0;
  do {
    operands.run(version);
    ++calls;
    passed = std::clock() - start;
  } while (passed < kLeast);
  return static_cast<double>(passed) / CLOCKS_PER_SEC / static_cast<double>(calls);
}

// Times the versions in turn, so that a slow moment of the machine affects all of them.
void time_versions(int64_t rounds, const Operands& operands, std::vector<Measured>& all) {
  for (int64_t round = 0; round < rounds; ++round)
    for (Measured& one : all) one.seconds.push_back(seconds_per_call(one.version, operands));
}

void print_table(const Options& options, const Peak& peak, const std::vector<Measured>& all) {
  const Layer& layer = options.layer;
  fmt::print("3x3 convolution of {} images of {}x{}, {} -> {} channels: {:.2f} GFLOP; {}, one thread\n",
             layer.images, layer.size, layer.size, layer.channels, layer.channels,
             2e-9 * static_cast<double>(layer.multiply_adds()), name_of(resolved(InstructionSet::automatic)));
  fmt::print("peak {:.1f} GFLOP/s, memory {:.1f} GB/s, both just measured; medians of {} round{}\n\n",
             2e-9 * peak.multiply_adds, 1e-9 * peak.bytes, options.rounds, options.rounds == 1 ? "" : "s");
  fmt::print("{:<22} {:<44} {:>8} {:>8} {:>8} {:>7} {:>10}\n", "version", "idea", "ms", "GFLOP/s", "of peak",
             "faster", "difference");
  const Measured* before = nullptr;
  for (const Measured& one : all) {
    const std::string faster =
        before == nullptr ? "" : fmt::format("{:.2f}x", before->milliseconds() / one.milliseconds());
    fmt::print("{:<22} {:<44} {:>8.2f} {:>8.1f} {:>6.0f} % {:>7} {:>10.1e}\n", one.version.name,
               one.version.idea, one.milliseconds(), one.gflops(layer),
               1e11 * one.gflops(layer) / (2 * peak.multiply_adds), faster, one.difference);
    before = &one;
  }
}

void print_json(const Options& options, const Peak& peak, const std::vector<Measured>& all) {
  const Layer& layer = options.layer;
  nlohmann::json json = {{"program", "conv2d_ladder"},
                         {"batch", layer.images},
                         {"size", layer.size},
                         {"channels", layer.channels},
                         {"instruction_set", name_of(resolved(InstructionSet::automatic))},
                         {"peak_gflops", 2e-9 * peak.multiply_adds},
                         {"bandwidth_gbytes_per_second", 1e-9 * peak.bytes},
                         {"versions", nlohmann::json::array()}};
  for (const Measured& one : all)
    json["versions"].push_back({{"name", one.version.name},
                                {"idea", one.version.idea},
                                {"seconds_per_call", median(one.seconds)},
                                {"seconds", one.seconds},
                                {"gflops", one.gflops(layer)},
                                {"difference", one.difference},
                                {"tolerance", one.tolerance},
                                {"agrees", one.agrees()}});
  fmt::print("{}\n", json.dump());
}

int run(const Options& options) {
  const Layer& layer = options.layer;
  require(layer.channels % 64 == 0, "--channels ", layer.channels, " is no multiple of 64");
  require(layer.size % 4 == 0, "--size ", layer.size, " is no multiple of 4");
  constexpr int64_t kMost = 20'000'000'000;
  require(layer.multiply_adds() <= kMost, "the layer has ", layer.multiply_adds() / 1'000'000'000,
          " billion multiply-adds; more than ", kMost / 1'000'000'000, " would take minutes");
  const Operands operands(layer);
  std::vector<Measured> all = check_versions(layer, operands);
  for (const Measured& one : all)
    if (!one.agrees())
      throw std::runtime_error(
          fmt::format("version {} differs from the first by {:.2e}; rounding explains {:.2e}",
                      one.version.name, one.difference, one.tolerance));
  time_versions(options.rounds, operands, all);
  (options.json ? print_json : print_table)(options, measure_peak(1), all);
  return kDone;
}

void add_options(CLI::App& app, Options& options) {
  const auto count = [&](const char* name, int64_t& value, int64_t least, int64_t most, const char* meaning) {
    app.add_option(name, value, meaning)->check(CLI::Range(least, most))->capture_default_str();
  };
  count("--channels", options.layer.channels, 64, 4096,
        "Number of input channels and of output channels; a multiple of 64");
  count("--size", options.layer.size, 8, 1024, "Height and width of an image in pixels; a multiple of 4");
  count("--batch", options.layer.images, 1, 4096, "Batch: number of images");
  count("--rounds", options.rounds, 1, 1000,
        "Number of times that each version is timed; the table shows medians");
  app.add_flag("--json", options.json, "Print one JSON object");
}

}  // namespace
}  // namespace crescendo::bench

int main(int argc, char** argv) {
  using namespace crescendo::bench;
  CLI::App app(
      "Times one convolution (3x3, stride 1, padding 1) in eight versions on one thread, from the formula as "
      "it reads to\n"
      "the library's kernel, and shows what each idea gains. docs/ladder.md explains the versions.",
      "conv2d_ladder");
  Options options;
  add_options(app, options);
  app.footer(
      "Each version is checked against the first one: a difference that rounding does not explain is an "
      "error (exit code 1).\n"
      "Times are processor time per call and include rearranging the weights. GFLOP/s count the direct "
      "definition,\n"
      "so Winograd's algorithm may exceed the peak.\n"
      "Examples:\n"
      "  conv2d_ladder\n"
      "  conv2d_ladder --channels 256 --size 8 --rounds 9\n"
      "  conv2d_ladder --batch 32 --json");
  return run_program(app, argc, argv, [&] { return run(options); });
}

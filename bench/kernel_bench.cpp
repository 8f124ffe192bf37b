// kernel_bench: times every kernel, and compares it with the device's peak and with another library. It is
// built on Google Benchmark and also takes that library's flags (--benchmark_filter, --benchmark_out, ...).
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/check.h"
#include "base/threads.h"
#include "kernel_list.h"
#include "kernel_table.h"
#include "operands.h"
#include "peak.h"
#include "program.h"
#include "trainer/options/open_device.h"

namespace crescendo::bench {
namespace {

struct Options {
  TrainOptions machine;  // device, precision, threads, convolution, instruction set
  int64_t batch = 32;
  std::string layers = "wrn-16-4";
  std::string peer = "none";
};

struct Machine {
  Backend& backend;
  Call wait;  // waits for the work of a GPU; empty on the CPU
  Peak peak;
  Peer peer;
  int threads;
};

bool on_processor(const Options& options) { return options.machine.device == "cpu"; }

// Returns a small download, which waits for all kernels before it. Empty on the CPU, where each call returns
// when its work is done.
Call wait_of(const Options& options, Backend& backend) {
  if (on_processor(options)) return {};
  const auto operands = std::make_shared<Operands>(backend);
  return [&backend, operands, zero = operands->zeros<int32_t>(1)] {
    int32_t host = 0;
    backend.download(zero, &host, sizeof(host));
  };
}

// Times our kernel, then as many calls of the peer's. With --benchmark_repetitions the two take turns.
void run_benchmark(benchmark::State& state, const KernelBenchmark& kernel, const Machine& machine) {
  const Call ours = kernel.prepare(machine.backend);
  const Call peer = kernel.prepare_peer ? kernel.prepare_peer(machine.peer, machine.threads) : Call();
  ours();
  const int64_t calls = calls_between_waits(ours, machine.wait);
  const Stopwatch watch;
  while (state.KeepRunningBatch(calls)) make_calls(ours, machine.wait, calls);
  const auto iterations = static_cast<double>(state.iterations());
  const double seconds = watch.seconds() / iterations;

  const auto multiply_adds = static_cast<double>(kernel.work.multiply_adds);
  const auto bytes = static_cast<double>(kernel.work.bytes(machine.backend.capabilities().activation_bytes));
  state.counters[kGflops] = 2 * multiply_adds / seconds / 1e9;
  state.counters[kGigabytes] = bytes / seconds / 1e9;
  state.counters[kPeakShare] = multiply_adds / seconds / machine.peak.multiply_adds;
  state.counters[kBandwidthShare] = bytes / seconds / machine.peak.bytes;
  if (kernel.times_in_model > 0) state.counters[kTimesInModel] = kernel.times_in_model;
  if (!peer) return;
  peer();
  const Stopwatch peer_watch;
  for (int64_t i = 0; i < state.iterations(); ++i) peer();
  state.counters[kPeerSeconds] = peer_watch.seconds() / iterations;
  state.counters[kRatio] = peer_watch.seconds() / iterations / seconds;
}

KernelList chosen_kernels(const Options& options, const Backend& backend) {
  KernelList list;
  if (options.layers == "cases" || options.layers == "all") add_cases(list, backend);
  for (const LayerTable& table : layer_tables())
    if (options.layers == table.model || options.layers == "all")
      add_model(list, table, options.batch, backend);
  // Models share sizes. Each is timed once.
  std::set<std::string> names;
  std::erase_if(list, [&](const KernelBenchmark& kernel) { return !names.insert(kernel.name).second; });
  return list;
}

// Passes Google Benchmark its flags. Throws std::invalid_argument for a flag that it does not know. It keeps
// the pointer `program`.
void initialise_library(char* program, std::vector<std::string> flags) {
  std::vector<char*> words{program};
  for (std::string& flag : flags) words.push_back(flag.data());
  auto count = static_cast<int>(words.size());
  benchmark::Initialize(&count, words.data());
  require(count == 1, "unknown option ", count > 1 ? words[1] : "", " (see --help)");
}

void describe(const Options& options, const Machine& machine) {
  const std::string peak = fmt::format("{:.1f}", 2 * machine.peak.multiply_adds / 1e9);
  const std::string bandwidth = fmt::format("{:.1f}", machine.peak.bytes / 1e9);
  benchmark::AddCustomContext("backend", machine.backend.name());
  benchmark::AddCustomContext("convolution", std::string(name_of(options.machine.convolution)));
  benchmark::AddCustomContext("peak_gflops", peak);
  benchmark::AddCustomContext("bandwidth_gbytes_per_second", bandwidth);
  if (!on_processor(options))
    benchmark::AddCustomContext("precision", std::string(name_of(options.machine.precision)));
  if (machine.peer != Peer::none) benchmark::AddCustomContext("peer", version_of(machine.peer));
}

std::string heading(const Options& options, const Machine& machine) {
  const char* how = on_processor(options) ? "on as many threads" : "with a matrix product and a triad";
  std::string text =
      fmt::format("{}, convolution {}\npeak {:.1f} GFLOP/s, memory {:.1f} GB/s, both just measured {}\n",
                  machine.backend.name(), name_of(options.machine.convolution),
                  2 * machine.peak.multiply_adds / 1e9, machine.peak.bytes / 1e9, how);
  if (machine.peer != Peer::none)
    text += fmt::format("peer: {}; ratio: its time divided by ours\n", version_of(machine.peer));
  return text;
}

bool has_flag(const std::vector<std::string>& flags, const char* start) {
  return std::any_of(flags.begin(), flags.end(),
                     [&](const std::string& flag) { return flag.starts_with(start); });
}

int run(Options& options, char* program, const std::vector<std::string>& flags) {
  initialise_library(program, flags);
  require(on_processor(options) || options.peer == "none", "--peer ", options.peer,
          " computes on the processor: expected none with --device ", options.machine.device);
  const bool only_names = has_flag(flags, "--benchmark_list_tests");
  const int threads = options.machine.threads = Threads(options.machine.threads).count();
  const Device device = open_device(options.machine);
  Backend& backend = device.backend();
  const Call wait = wait_of(options, backend);
  const KernelList kernels = chosen_kernels(options, backend);
  const Peak peak = only_names ? Peak{} : wait ? measure_peak(backend, wait) : measure_peak(threads);
  const Machine machine{backend, wait, peak, peers().at(options.peer), threads};
  for (const KernelBenchmark& kernel : kernels)
    benchmark::RegisterBenchmark(kernel.name.c_str(), [&](benchmark::State& state) {
      run_benchmark(state, kernel, machine);
    })->Unit(benchmark::kMicrosecond);

  describe(options, machine);
  KernelTable table(heading(options, machine), machine.peer != Peer::none);
  const bool own_table = !only_names && !has_flag(flags, "--benchmark_format=");
  const size_t count =
      own_table ? benchmark::RunSpecifiedBenchmarks(&table) : benchmark::RunSpecifiedBenchmarks();
  return count > 0 ? kDone : kBadInput;  // the library has said that nothing matches the filter
}

std::vector<std::string> layer_choices() {
  std::vector<std::string> choices;
  for (const LayerTable& table : layer_tables()) choices.push_back(table.model);
  choices.insert(choices.end(), {"cases", "all"});
  return choices;
}

std::vector<std::string> peer_choices() {
  std::vector<std::string> choices;
  for (const auto& [name, peer] : peers()) choices.push_back(name);
  return choices;
}

void add_options(CLI::App& app, Options& options) {
  app.add_option("--device", options.machine.device, "Device to compute on: cpu, cuda or cuda:N")
      ->capture_default_str();
  add_precision_option(app, options.machine.precision);
  add_threads_option(app, options.machine.threads);
  app.add_option("--batch", options.batch, "Batch: number of images in each of a model's layers")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
  add_convolution_option(app, options.machine.convolution);
  add_instruction_set_option(app, options.machine.instruction_set);
  app.add_option(
         "--layers", options.layers,
         "Kernels and sizes: a model's convolutions, with the kernels that run on their outputs and once per "
         "update; cases: all kernels on the sizes of their tests; all: the cases and every model")
      ->check(CLI::IsMember(layer_choices()))
      ->capture_default_str();
  app.add_option(
         "--peer", options.peer,
         "Also time each convolution by another library. onednn: on operands in the layouts that it "
         "chooses; onednn-reorder: including reorders from and to NHWC; eigen: im2col and a matrix product")
      ->check(CLI::IsMember(peer_choices()))
      ->capture_default_str();
}

}  // namespace
}  // namespace crescendo::bench

int main(int argc, char** argv) {
  using namespace crescendo::bench;
  CLI::App app(
      "Times every kernel, and compares it with the device's peak and memory bandwidth, measured just "
      "before.",
      "kernel_bench");
  Options options;
  add_options(app, options);
  app.allow_extras();
  app.footer(
      "GFLOP/s count the multiply-adds of direct convolution, so Winograd's algorithm may exceed the peak. "
      "GB/s count each\n"
      "operand once, so small operands that stay in a cache may exceed the memory bandwidth. On a GPU the "
      "peak is that of\n"
      "a matrix product.\n"
      "Google Benchmark's flags work as well, among them:\n"
      "  --benchmark_filter=REGEX --benchmark_min_time=SECONDS --benchmark_repetitions=N (a line then shows "
      "medians)\n"
      "  --benchmark_out=FILE --benchmark_out_format=json|csv --benchmark_format=json "
      "--benchmark_list_tests\n"
      "Examples:\n"
      "  kernel_bench --layers wrn-16-4 --batch 128 --benchmark_filter=conv2d_\n"
      "  kernel_bench --layers resnet-50 --peer onednn --benchmark_repetitions=5 "
      "--benchmark_out=resnet-50.json\n"
      "  kernel_bench --device cuda --precision bf16 --batch 128 --benchmark_out=gpu.json\n"
      "  kernel_bench --layers cases --threads 1 --benchmark_filter='^(sgd|momentum|adam)/'");
  return run_program(app, argc, argv, [&] { return run(options, argv[0], app.remaining()); });
}

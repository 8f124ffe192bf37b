// Parts that the benchmark programs share: options, errors, a clock, medians.
#pragma once

#include <CLI/CLI.hpp>
#include <chrono>
#include <functional>
#include <vector>

#include "kernels/convolution_names.h"
#include "kernels/instruction_set.h"
#include "kernels/precision.h"

namespace crescendo::bench {

class Stopwatch {
 public:
  double seconds() const { return std::chrono::duration<double>(Clock::now() - start_).count(); }

 private:
  using Clock = std::chrono::steady_clock;
  Clock::time_point start_ = Clock::now();
};

double median(std::vector<double> values);  // of at least one

// The most memory this process has held, as the system counts it.
int64_t peak_resident_bytes();

// --threads, 0 being one per core, --convolution, --precision, and --instruction-set, for which `set` becomes
// what the processor has.
void add_threads_option(CLI::App& app, int& threads);
void add_convolution_option(CLI::App& app, ConvolutionAlgorithm& convolution);
void add_precision_option(CLI::App& app, Precision& precision);
void add_instruction_set_option(CLI::App& app, InstructionSet& set);
int resolved_threads(int threads);

// Exit codes: an error is one line.
inline constexpr int kDone = 0, kOurError = 1, kBadInput = 2;

// Parses, then runs `body`; returns its exit code, or that of what was thrown.
int run_program(CLI::App& app, int argc, char** argv, const std::function<int()>& body);

}  // namespace crescendo::bench

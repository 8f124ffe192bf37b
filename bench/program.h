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

// Returns the median of the values, of which there must be at least one.
double median(std::vector<double> values);

// Returns the peak resident memory of this process in bytes, as the system counts it.
int64_t peak_resident_bytes();

// Add the options --threads, --convolution, --precision and --instruction-set. The last one first sets `set`
// to the fastest instruction set of this processor.
void add_threads_option(CLI::App& app, int& threads);
void add_convolution_option(CLI::App& app, ConvolutionAlgorithm& convolution);
void add_precision_option(CLI::App& app, Precision& precision);
void add_instruction_set_option(CLI::App& app, InstructionSet& set);

// Exit codes. An error prints one line.
inline constexpr int kDone = 0, kOurError = 1, kBadInput = 2;

// Parses the command line and runs `body`. Returns the exit code of `body`. For a wrong command line, or an
// exception, prints an error and returns its exit code.
int run_program(CLI::App& app, int argc, char** argv, const std::function<int()>& body);

}  // namespace crescendo::bench

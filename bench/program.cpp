#include "program.h"

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <map>
#include <new>
#include <stdexcept>

namespace crescendo::bench {
namespace {

int fail(const CLI::App& app, const char* what, int code) {
  fmt::print(stderr, "{}: {}\n", app.get_name(), what);
  return code;
}

}  // namespace

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

int64_t peak_resident_bytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss * 1024;  // Linux counts in KiB
}

void add_threads_option(CLI::App& app, int& threads) {
  app.add_option("--threads", threads,
                 "Number of threads that compute; 0 is one per core that this process may use")
      ->check(CLI::Range(0, 1024))
      ->capture_default_str();
}

void add_convolution_option(CLI::App& app, ConvolutionAlgorithm& convolution) {
  std::map<std::string, ConvolutionAlgorithm> algorithms;
  std::vector<std::string> names;
  for (const auto& [name, algorithm] : kConvolutionNames) {
    algorithms.emplace(name, algorithm);
    names.emplace_back(name);
  }
  const auto set = [&convolution, algorithms](const std::string& name) { convolution = algorithms.at(name); };
  app.add_option_function<std::string>(
         "--convolution", set,
         "Convolution algorithm for 3x3 and 1xN filters; own: this project's kernels, on a GPU in bf16")
      ->check(CLI::IsMember(names))
      ->default_str(std::string(name_of(convolution)));
}

void add_precision_option(CLI::App& app, Precision& precision) {
  std::vector<std::string> names;
  names.reserve(kPrecisions.size());
  for (const Precision one : kPrecisions) names.emplace_back(name_of(one));
  const auto set = [&precision](const std::string& name) { precision = precision_named(name); };
  app.add_option_function<std::string>("--precision", set, "Precision of activations and products on a GPU")
      ->check(CLI::IsMember(names))
      ->default_str(std::string(name_of(precision)));
}

void add_instruction_set_option(CLI::App& app, InstructionSet& set) {
  set = resolved(InstructionSet::automatic);
  std::map<std::string, InstructionSet> choices;
  std::vector<std::string> names;
  names.reserve(instruction_sets().size());
  for (const InstructionSet one : instruction_sets()) {
    choices.emplace(name_of(one), one);
    names.emplace_back(name_of(one));
  }
  app.add_option_function<std::string>(
         "--instruction-set", [&set, choices](const std::string& name) { set = choices.at(name); },
         "Instruction set of the CPU kernels")
      ->check(CLI::IsMember(names))
      ->default_str(std::string(name_of(set)));
}

int run_program(CLI::App& app, int argc, char** argv, const std::function<int()>& body) {
  app.failure_message([](const CLI::App* failed, const CLI::Error& error) {
    return fmt::format("{}: {} (see --help)\n", failed->get_name(), error.what());
  });
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kDone : kBadInput;
  }
  try {
    return body();
  } catch (const std::invalid_argument& error) {
    return fail(app, error.what(), kBadInput);
  } catch (const std::bad_alloc&) {
    return fail(app, "out of memory; a smaller --batch needs less", kBadInput);
  } catch (const std::exception& error) {
    return fail(app, error.what(), kOurError);
  }
}

}  // namespace crescendo::bench

// The emulator shows the fault of each broken kernel, by an error or a wrong result. The correct versions
// pass under every schedule.
#include <doctest/doctest.h>

#include <functional>
#include <string>

#include "emulation/broken_kernels.cuh"
#include "emulation/guarded.h"
#include "emulation/sanitizers.h"

namespace crescendo::emulation {
namespace {

using Kernel = void (*)(const float*, float*, int);
using Values = std::vector<float>;

struct Case {
  std::string name;
  Kernel correct, broken;
  // Returns the expected y of one block, given its x.
  std::function<Values(const Values&)> expected;
  unsigned blocks = 2;
};

Values sample(size_t n) {
  Values x(n);
  for (size_t i = 0; i < n; ++i) x[i] = static_cast<float>(i * 7 % 13) + 1;
  return x;
}

Values reversed(const Values& x) { return {x.rbegin(), x.rend()}; }

Values everywhere(const Values& x, float value) { return Values(x.size(), value); }

// y[i] = f(i) for all i below `n`, and 0 beyond.
template <class F>
Values values_of(const Values& x, size_t n, const F& f) {
  Values y(x.size());
  for (size_t i = 0; i < n; ++i) y[i] = f(i);
  return y;
}

Values half_warp_sums_of(const Values& x) {
  return values_of(x, x.size(), [&](size_t i) {
    float sum = 0;
    for (size_t k = i / 16 * 16; k < i / 16 * 16 + 16; ++k) sum += x[k];
    return sum;
  });
}

float sum(const Values& x, float squares, size_t step = 1) {
  float total = 0;
  for (size_t i = 0; i < x.size(); i += step) total += x[i] + squares * x[i] * x[i];
  return total;
}

// Faults that warp_greedy alone must find, every time.
std::vector<Case> races() {
  return {
      {"reverse_blocks", reverse_blocks<true>, reverse_blocks<false>, reversed},
      {"block_totals", block_totals<true>, block_totals<false>,
       [](const Values& x) { return everywhere(x, sum(x, 0)); }},
      {"add_two_orders", add_two_orders<true>, add_two_orders<false>,
       [](const Values& x) {
         const size_t n = x.size();
         return values_of(x, n, [&](size_t i) { return x[n - 1 - i] + x[(n / 4 - 1 - i / 4) * 4 + i % 4]; });
       }},
      {"two_sums", two_sums<true>, two_sums<false>, [](const Values& x) { return everywhere(x, sum(x, 3)); }},
  };
}

std::vector<Case> faults() {
  return {
      {"add_other_half", add_other_half<true>, add_other_half<false>,
       [](const Values& x) {
         const size_t n = x.size();
         return values_of(x, n, [&](size_t i) { return x[i] + x[(i + n / 2) % n]; });
       }},
      {"reverse_all_but_last", reverse_all_but_last<true>, reverse_all_but_last<false>,
       [](const Values& x) {
         return values_of(x, x.size() - 1, [&](size_t i) { return x[x.size() - 1 - i]; });
       },
       1},
      {"add_neighbour", add_neighbour<true>, add_neighbour<false>,
       [](const Values& x) { return values_of(x, x.size() - 1, [&](size_t i) { return x[i] + x[i ^ 1]; }); },
       1},
      {"half_warp_sums", half_warp_sums<true>, half_warp_sums<false>, half_warp_sums_of},
      {"add_left", add_left<true>, add_left<false>,
       [](const Values& x) {
         return values_of(x, x.size(), [&](size_t i) { return i == 0 ? x[0] : x[i] + x[i - 1]; });
       }},
      {"twice", twice<true>, twice<false>,
       [](const Values& x) { return values_of(x, x.size(), [&](size_t i) { return 2 * x[i]; }); }},
      {"reverse_copied", reverse_copied<true>, reverse_copied<false>, reversed},
      {"reverse_uncommitted", reverse_uncommitted<true>, reverse_uncommitted<false>, reversed},
      {"even_sums", even_sums<true>, even_sums<false>,
       [](const Values& x) { return everywhere(x, sum(x, 0, 2)); }},
  };
}

// Returns true if the kernel computes what the case expects on every block and stays within its bounds.
bool passes(const Case& test, Kernel kernel, unsigned threads) {
  const Values block = sample(threads);
  Values x, expected;
  for (unsigned b = 0; b < test.blocks; ++b) {
    const Values y = test.expected(block);
    x.insert(x.end(), block.begin(), block.end());
    expected.insert(expected.end(), y.begin(), y.end());
  }
  Guarded to(Values(x.size(), 0));
  const float* x_data = x.data();
  float* y_data = to.data();
  auto n = static_cast<int>(x.size());
  void* arguments[] = {&x_data, &y_data, &n};
  try {
    cudaLaunchKernel(kernel, test.blocks, threads, arguments, threads * sizeof(float));
  } catch (const Error&) {
    return false;
  }
  return to.intact() && to.values() == expected;  // NaN is equal to nothing
}

constexpr unsigned kThreads[] = {64, 96, 128, 256, 1024};
constexpr uint32_t kSeeds = 4;

}  // namespace

TEST_CASE("correct kernels pass under every schedule") {
  std::vector<Case> cases = races();
  for (const Case& fault : faults()) cases.push_back(fault);
  for (const Case& test : cases)
    for (const unsigned threads : kThreads)
      for (const Schedule schedule : all_schedules())
        for (uint32_t seed = 0; seed < 2; ++seed) {
          const WithSchedule guard(schedule, seed);
          CHECK_MESSAGE(passes(test, test.correct, threads), test.name, " of ", threads, " threads");
        }
}

// Sanitizers end the process at a broken kernel, so these are skipped there (--no-skip shows what they say).
TEST_CASE("the warp-greedy schedule finds every missing barrier every time" * doctest::skip(kSanitized)) {
  for (const Case& test : races())
    for (const unsigned threads : kThreads)
      for (uint32_t seed = 0; seed < kSeeds; ++seed) {
        const WithSchedule guard(Schedule::warp_greedy, seed);
        CHECK_MESSAGE(!passes(test, test.broken, threads), test.name, " of ", threads, " threads");
      }
}

TEST_CASE("one of the schedules finds every fault" * doctest::skip(kSanitized)) {
  for (const Case& test : faults())
    for (const unsigned threads : kThreads) {
      bool found = false;
      for (const Schedule schedule : all_schedules()) {
        const WithSchedule guard(schedule);
        found |= !passes(test, test.broken, threads);
      }
      CHECK_MESSAGE(found, test.name, " of ", threads, " threads");
    }
}

}  // namespace crescendo::emulation

// Activations of a backend's own type, for tests, between two guard zones. The destructor checks the zones.
#pragma once

#include <cmath>

#include "support/compare.h"

namespace crescendo::test {

class Activations {
 public:
  // Uploads the values, rounded if the backend's type is narrower.
  Activations(Backend& backend, const std::vector<real>& values) : backend_(backend) {
    std::vector<real> all(values.size() + 2 * kGuard, kGuardValue);
    std::copy(values.begin(), values.end(), all.begin() + kGuard);
    count_ = static_cast<int64_t>(all.size());
    memory_ = static_cast<char*>(backend.allocate(bytes()));
    if (backend.capabilities().activation_bytes == sizeof(real))
      backend.upload(all.data(), memory_, bytes());
    else
      backend.upload_activations(count_, std::vector<float>(all.begin(), all.end()).data(), from(0));
  }
  Activations(const Activations&) = delete;
  Activations& operator=(const Activations&) = delete;
  ~Activations() {
    const std::vector<real> all = download();
    const auto is_guard = [](real v) { return v == kGuardValue; };
    CHECK(std::all_of(all.begin(), all.begin() + kGuard, is_guard));
    CHECK(std::all_of(all.end() - kGuard, all.end(), is_guard));
    backend_.release(memory_, bytes());
  }

  operator activation*() { return at(0); }
  operator const activation*() const { return at(0); }
  // Returns the address of element i.
  activation* at(int64_t i) { return from(kGuard + i); }
  const activation* at(int64_t i) const { return from(kGuard + i); }

  std::vector<real> values() const {
    const std::vector<real> all = download();
    return {all.begin() + kGuard, all.end() - kGuard};
  }

 private:
  static constexpr int64_t kGuard = 64;
  static constexpr real kGuardValue = -12288;  // exact in every type

  size_t bytes() const { return static_cast<size_t>(count_) * backend_.capabilities().activation_bytes; }
  activation* from(int64_t element) const {
    return reinterpret_cast<activation*>(memory_ + static_cast<size_t>(element) *
                                                       backend_.capabilities().activation_bytes);
  }
  std::vector<real> download() const {
    std::vector<real> all(static_cast<size_t>(count_));
    backend_.download_activations(count_, from(0), all.data());
    return all;
  }

  Backend& backend_;
  int64_t count_ = 0;
  char* memory_ = nullptr;
};

// Returns the largest relative error of rounding to an activation. It is 0 if activations are reals, whose
// rounding a kernel's tolerance covers.
inline double rounding_of(const Backend& backend) {
  return backend.capabilities().activation_bytes == sizeof(real) ? 0 : std::ldexp(1, -8);
}

// Checks as check_both_writes does, for a call whose output is activations.
template <class MakeCall>
void check_both_writes_of_activations(Backend& backend, const std::vector<double>& expected, double tolerance,
                                      const MakeCall& make_call) {
  const auto n = static_cast<int64_t>(expected.size());
  const double rounding = rounding_of(backend);
  Activations fresh(backend, poison(n));
  run(backend, make_call(fresh, Write::overwrite));
  check_close(fresh.values(), expected, tolerance, rounding);

  Activations used(backend, noise(n, 99));
  const std::vector<real> before = used.values();
  std::vector<double> sums = expected;
  for (size_t i = 0; i < sums.size(); ++i) sums[i] += static_cast<double>(before[i]);
  run(backend, make_call(used, Write::add));
  // The kernel may round `expected` itself, which is at most the sum plus 1.
  check_close(used.values(), sums, tolerance + sum_tolerance(1, 2) + rounding, 2 * rounding);
}

}  // namespace crescendo::test

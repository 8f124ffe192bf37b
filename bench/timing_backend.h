// A backend that passes every call on to another and records the time that it takes, by kernel and size.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "kernels/backend_decorator.h"
#include "kernels/kernel_call.h"

namespace crescendo::bench {

struct KernelName {
  std::string kernel, sizes;
  auto operator<=>(const KernelName&) const = default;
};

// Sums over all calls of a kernel on the same sizes.
struct KernelTime {
  int64_t calls = 0;
  double seconds = 0, multiply_adds = 0, bytes = 0;
};

class TimingBackend final : public BackendDecorator {
 public:
  using BackendDecorator::BackendDecorator;

  // Returns the times since the last forget(): of kernels, and of uploads and downloads of activations.
  const std::map<KernelName, KernelTime>& times() const { return times_; }
  void forget() { times_.clear(); }

  void upload_activations(int64_t n, const float* host, activation* to) override;
  void download_activations(int64_t n, const activation* from, real* host) override;
  void run(const KernelCall&) override;
  // Returns null, so that kernels are called one by one.
  std::unique_ptr<KernelGraph> capture(const std::function<void()>&) override { return nullptr; }

 private:
  template <class Run>
  void time(const KernelName&, const Work&, const Run& run);

  std::map<KernelName, KernelTime> times_;
};

}  // namespace crescendo::bench

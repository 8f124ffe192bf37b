// A device that works as late as it may. It runs kernels, in order, only when the host waits for them; copies
// run beside kernels. A host that forgets to wait reads wrong values.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <deque>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "kernels/backend.h"

namespace crescendo::test {

// The earliest or the latest time at which a copy may happen.
enum class CopyTime { first, last };

class DeviceStreams {
 public:
  void call(std::function<void()> kernel) { kernels_.push_back(std::move(kernel)); }
  void finish() { run_until(called()); }
  std::unique_ptr<StagedUpload> open_upload(CopyTime when) { return std::make_unique<Upload>(*this, when); }

  // Returns the number of kernels that were called but have not run.
  size_t waiting() const { return kernels_.size(); }
  int64_t uploads = 0, host_blocks = 0;

 private:
  struct Copy {
    const void* host;
    void* to;
    size_t bytes;
    size_t after;  // number of kernels that must have run before the copy
    bool done = false;

    void run() {
      if (!std::exchange(done, true)) std::memcpy(to, host, bytes);
    }
  };

  class Upload final : public StagedUpload {
   public:
    Upload(DeviceStreams& streams, CopyTime when)
        : streams_(streams), when_(when), taken_(streams.called()) {}
    ~Upload() override { wait(); }

    // Releasing the memory fills it with NaN.
    std::shared_ptr<void> host_memory(size_t bytes) override {
      const auto block = std::make_shared<std::vector<std::byte>>(bytes);
      blocks_.push_back(block);
      ++streams_.host_blocks;
      return {block->data(), [block](void*) { std::fill(block->begin(), block->end(), std::byte{0xFF}); }};
    }
    void start(const void* host, void* to, size_t bytes) override {
      ++streams_.uploads;
      const auto copy = std::make_shared<Copy>(Copy{host, to, bytes, taken_});
      started_.push_back(copy);
      streams_.call([copy] { copy->run(); });
      if (when_ == CopyTime::first) wait();
    }
    void taken() override { taken_ = streams_.called(); }
    void wait() override {
      for (const auto& copy : started_) {
        streams_.run_until(copy->after);
        copy->run();
      }
      started_.clear();
    }

   private:
    DeviceStreams& streams_;
    CopyTime when_;
    size_t taken_;
    std::vector<std::shared_ptr<Copy>> started_;
    std::vector<std::shared_ptr<std::vector<std::byte>>> blocks_;  // kept, so that a late reader finds NaN
  };

  size_t called() const { return done_ + kernels_.size(); }
  void run_until(size_t count) {
    for (; done_ < count; ++done_) {
      const std::function<void()> kernel = std::move(kernels_.front());
      kernels_.pop_front();
      kernel();
    }
  }

  std::deque<std::function<void()>> kernels_;  // called, not yet run
  size_t done_ = 0;
};

}  // namespace crescendo::test

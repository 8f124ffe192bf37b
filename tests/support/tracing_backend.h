// A decorator that records every kernel call. It behaves like a GPU: it captures kernels, delays them as
// DeviceStreams does, and does not let the host read its memory.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "kernels/backend_decorator.h"
#include "kernels/host_exchange.h"
#include "support/device_streams.h"

namespace crescendo::test {

class TracingBackend final : public BackendDecorator {
 public:
  TracingBackend(std::unique_ptr<Backend> traced, bool captures, CopyTime copies = CopyTime::last)
      : BackendDecorator(std::move(traced)), captures_(captures), copies_(copies) {}

  std::vector<KernelCall> trace;  // includes calls that were only captured
  int64_t allocations = 0, transfers = 0, captures = 0, launches = 0;
  size_t memory = size_t{1} << 40;  // bytes that it reports as free

  // Returns the number of calls of one kernel in the trace.
  template <class Call>
  int64_t count() const {
    return std::count_if(trace.begin(), trace.end(),
                         [](const KernelCall& call) { return std::holds_alternative<Call>(call); });
  }
  const DeviceStreams& streams() const { return streams_; }

  std::string name() const override { return "tracing " + BackendDecorator::name(); }
  Capabilities capabilities() const override {
    Capabilities traced = BackendDecorator::capabilities();
    traced.is_host = false;
    return traced;
  }
  size_t free_memory() const override { return memory; }
  void* allocate(size_t bytes) override {
    ++allocations;
    return inner().allocate(bytes);
  }
  void release(void* block, size_t bytes) override {
    streams_.finish();
    inner().release(block, bytes);
  }
  void upload(const void* host, void* to, size_t bytes) override {
    begin_transfer();
    inner().upload(host, to, bytes);
  }
  void download(const void* from, void* host, size_t bytes) override {
    begin_transfer();
    inner().download(from, host, bytes);
  }
  void upload_activations(int64_t n, const float* host, activation* to) override {
    begin_transfer();
    inner().upload_activations(n, host, to);
  }
  void download_activations(int64_t n, const activation* from, real* host) override {
    begin_transfer();
    inner().download_activations(n, from, host);
  }
  std::unique_ptr<StagedUpload> open_upload() override { return streams_.open_upload(copies_); }
  std::unique_ptr<SumExchange> open_exchange(Communicator& workers) override {
    return make_host_exchange(*this, workers);
  }

  void run(const KernelCall& call) override {
    trace.push_back(call);
    auto kernel = [this, call] { inner().run(call); };
    if (capturing_ != nullptr)
      capturing_->steps.emplace_back([this, kernel] { streams_.call(kernel); });
    else
      streams_.call(std::move(kernel));
  }
  void reserve_workspace(size_t bytes) override {
    streams_.finish();
    inner().reserve_workspace(bytes);
  }
  std::unique_ptr<KernelGraph> capture(const std::function<void()>& work) override {
    if (!captures_) return nullptr;
    auto graph = std::make_unique<Graph>(launches);
    capturing_ = graph.get();
    work();
    capturing_ = nullptr;
    ++captures;
    return graph;
  }
  void call_host(const std::function<void()>& work) override {
    if (capturing_ != nullptr)
      capturing_->steps.push_back(work);
    else
      work();
  }

 private:
  struct Graph final : KernelGraph {
    explicit Graph(int64_t& counter) : launches(counter) {}
    void launch() override {
      ++launches;
      for (const auto& step : steps) step();
    }
    int64_t& launches;
    std::vector<std::function<void()>> steps;  // of the host: to call a kernel, or other work
  };

  // Waits for the kernels, as every copy between host and device does.
  void begin_transfer() {
    ++transfers;
    streams_.finish();
    if (capturing_ != nullptr) throw std::logic_error("capture: memory moves between host and device");
  }

  bool captures_;
  CopyTime copies_;
  DeviceStreams streams_;
  Graph* capturing_ = nullptr;
};

}  // namespace crescendo::test

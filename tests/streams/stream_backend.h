// A stand-in for a GPU: the processor's kernels in a stream, with the CUDA backend's own graphs, copies and
// exchange of sums.
#pragma once

#include <memory>

#include "kernels/backend_decorator.h"
#include "kernels/cuda/capture.h"
#include "kernels/cuda/copies.h"
#include "kernels/cuda/nccl_exchange.h"
#include "kernels/host_exchange.h"
#include "streams/stream_thread.h"

namespace crescendo::test {

class StreamBackend final : public BackendDecorator {
 public:
  StreamBackend(std::unique_ptr<Backend> processor, int device)
      : BackendDecorator(std::move(processor)), device_(device), stream_(device) {}
  ~StreamBackend() override { stream_.get()->wait(); }

  int64_t launches = 0;  // of captured sequences
  int64_t cuts = 0;      // in these, for work of the host
  cudaStream_t stream() const { return stream_.get(); }

  std::string name() const override { return "a stream's thread"; }
  Capabilities capabilities() const override {
    Capabilities processor = BackendDecorator::capabilities();
    processor.is_host = false;
    return processor;
  }
  void release(void* block, size_t bytes) override {
    stream_.get()->wait();
    inner().release(block, bytes);
  }
  void upload(const void* host, void* to, size_t bytes) override {
    cuda::check(cudaStreamSynchronize(stream_.get()), "upload");
    inner().upload(host, to, bytes);
  }
  void download(const void* from, void* host, size_t bytes) override {
    cuda::check(cudaStreamSynchronize(stream_.get()), "download");
    inner().download(from, host, bytes);
  }
  void upload_activations(int64_t n, const float* host, activation* to) override {
    cuda::check(cudaStreamSynchronize(stream_.get()), "upload");
    inner().upload_activations(n, host, to);
  }
  void download_activations(int64_t n, const activation* from, real* host) override {
    cuda::check(cudaStreamSynchronize(stream_.get()), "download");
    inner().download_activations(n, from, host);
  }
  std::unique_ptr<StagedUpload> open_upload() override {
    return std::make_unique<cuda::CopyStream>(device_, stream_.get());
  }
  std::unique_ptr<SumExchange> open_exchange(Communicator& workers) override {
    if (auto exchange = cuda::make_nccl_exchange(workers, device_, stream_.get())) return exchange;
    return make_host_exchange(*this, workers);
  }

  void run(const KernelCall& call) override {
    stream_.get()->add([this, call] { inner().run(call); });
  }
  void reserve_workspace(size_t bytes) override {
    stream_.get()->wait();
    inner().reserve_workspace(bytes);
  }
  std::unique_ptr<KernelGraph> capture(const std::function<void()>& work) override {
    auto graph = std::make_unique<Counted>(stream_.get(), launches);
    capturing_ = &graph->graph;
    graph->graph.record(work);
    capturing_ = nullptr;
    return graph;
  }
  void call_host(const std::function<void()>& work) override {
    if (capturing_ == nullptr) return work();
    ++cuts;
    capturing_->call_host(work);
  }

 private:
  struct Counted final : KernelGraph {
    Counted(cudaStream_t stream, int64_t& counter) : graph(stream), launches(counter) {}
    void launch() override {
      ++launches;
      graph.launch();
    }
    cuda::CapturedGraph graph;
    int64_t& launches;
  };

  int device_;
  cuda::Stream stream_;
  cuda::CapturedGraph* capturing_ = nullptr;
};

}  // namespace crescendo::test

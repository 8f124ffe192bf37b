// A backend that passes everything on to another: a base for those that watch its calls.
#pragma once

#include <utility>

#include "kernels/backend.h"

namespace crescendo {

class BackendDecorator : public Backend {
 public:
  explicit BackendDecorator(std::unique_ptr<Backend> inner) : inner_(std::move(inner)) {}

  std::string name() const override { return inner_->name(); }
  Capabilities capabilities() const override { return inner_->capabilities(); }
  size_t free_memory() const override { return inner_->free_memory(); }
  void* allocate(size_t bytes) override { return inner_->allocate(bytes); }
  void release(void* block, size_t bytes) override { inner_->release(block, bytes); }
  void upload(const void* host, void* to, size_t bytes) override { inner_->upload(host, to, bytes); }
  void download(const void* from, void* host, size_t bytes) override { inner_->download(from, host, bytes); }
  void upload_activations(int64_t n, const float* host, activation* to) override {
    inner_->upload_activations(n, host, to);
  }
  void download_activations(int64_t n, const activation* from, real* host) override {
    inner_->download_activations(n, from, host);
  }
  std::unique_ptr<StagedUpload> open_upload() override { return inner_->open_upload(); }
  std::unique_ptr<SumExchange> open_exchange(Communicator& workers) override {
    return inner_->open_exchange(workers);
  }
  void run(const KernelCall& call) override { inner_->run(call); }
  size_t workspace(const KernelCall& call) const override { return inner_->workspace(call); }
  void reserve_workspace(size_t bytes) override { inner_->reserve_workspace(bytes); }
  std::unique_ptr<KernelGraph> capture(const std::function<void()>& work) override {
    return inner_->capture(work);
  }
  void call_host(const std::function<void()>& work) override { inner_->call_host(work); }
  int64_t packed_weight_size(const Conv2dGeometry& g) const override { return inner_->packed_weight_size(g); }
  bool fuses_norm(const Conv2dGeometry& g) const override { return inner_->fuses_norm(g); }

 protected:
  Backend& inner() { return *inner_; }

 private:
  std::unique_ptr<Backend> inner_;
};

}  // namespace crescendo

// A backend that computes nothing and touches no memory. It counts the multiply-adds of the calls, and asks a
// real backend for the sizes of activations and workspace.
#pragma once

#include <memory>
#include <utility>

#include "kernels/backend.h"
#include "kernels/host_exchange.h"

namespace crescendo {

class DryRunBackend : public Backend {
 public:
  explicit DryRunBackend(std::shared_ptr<const Backend> modelled) : modelled_(std::move(modelled)) {}

  // Multiply-adds of convolutions and linear layers: of all calls, and of forward passes alone.
  int64_t multiply_adds() const { return multiply_adds_; }
  int64_t forward_multiply_adds() const { return forward_multiply_adds_; }

  std::string name() const override { return "dry run of " + modelled_->name(); }
  Capabilities capabilities() const override { return modelled_->capabilities(); }

  size_t free_memory() const override { return modelled_->free_memory(); }
  void* allocate(size_t bytes) override;
  void release(void*, size_t) override {}
  void upload(const void*, void*, size_t) override {}
  void download(const void* from, void* host, size_t bytes) override;  // zeros
  void upload_activations(int64_t, const float*, activation*) override {}
  void download_activations(int64_t n, const activation* from, real* host) override;  // zeros
  std::unique_ptr<StagedUpload> open_upload() override { return nullptr; }
  std::unique_ptr<SumExchange> open_exchange(Communicator& workers) override {
    return make_host_exchange(*this, workers);
  }

  void run(const KernelCall&) override;
  size_t workspace(const KernelCall& call) const override { return modelled_->workspace(call); }
  void reserve_workspace(size_t) override {}
  std::unique_ptr<KernelGraph> capture(const std::function<void()>&) override { return nullptr; }

  int64_t packed_weight_size(const Conv2dGeometry& g) const override {
    return modelled_->packed_weight_size(g);
  }
  bool fuses_norm(const Conv2dGeometry& g) const override { return modelled_->fuses_norm(g); }

 private:
  std::shared_ptr<const Backend> modelled_;
  uintptr_t next_address_ = 0;
  int64_t multiply_adds_ = 0, forward_multiply_adds_ = 0;
};

}  // namespace crescendo

// Asynchronous uploads from pinned memory. They have a stream of their own; events order them with the
// kernels' stream.
#pragma once

#include "kernels/backend.h"
#include "kernels/cuda/stream.h"

namespace crescendo::cuda {

class CopyStream final : public StagedUpload {
 public:
  CopyStream(int device, cudaStream_t kernels);
  ~CopyStream() override;
  std::shared_ptr<void> host_memory(size_t bytes) override;
  void start(const void* host, void* to, size_t bytes) override;
  void taken() override;
  void wait() override;

 private:
  int device_;
  cudaStream_t kernels_;
  Stream copies_;
  Event taken_;   // recorded in the kernels' stream
  Event copied_;  // recorded in the copies' stream
};

}  // namespace crescendo::cuda

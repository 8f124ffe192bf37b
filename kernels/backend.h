// The interface of a device: memory, copies, and running kernels. The kernels and their contracts are in
// kernels/calls/.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "kernels/kernel_call.h"

namespace crescendo {

class Communicator;

// A captured sequence of kernel calls with their arguments.
class KernelGraph {
 public:
  KernelGraph() = default;
  KernelGraph(const KernelGraph&) = delete;
  KernelGraph& operator=(const KernelGraph&) = delete;
  virtual ~KernelGraph() = default;
  virtual void launch() = 0;
};

// An asynchronous upload: copies from host memory run beside kernels.
class StagedUpload {
 public:
  StagedUpload() = default;
  StagedUpload(const StagedUpload&) = delete;
  StagedUpload& operator=(const StagedUpload&) = delete;
  virtual ~StagedUpload() = default;  // waits for the copies

  // Returns `bytes` bytes of pinned host memory. Any thread may call it, one at a time; the memory may
  // outlive this object.
  virtual std::shared_ptr<void> host_memory(size_t bytes) = 0;
  // Starts a copy from memory that host_memory() returned. The copy begins after the kernels that were called
  // before the last taken(), or, without one, before the upload was opened. Kernels called from now on see
  // the copied bytes.
  virtual void start(const void* host, void* to, size_t bytes) = 0;
  // Declares that kernels called from now on no longer read what was copied.
  virtual void taken() = 0;
  // Waits for all started copies. The host may then write to its memory again.
  virtual void wait() = 0;
};

// Adds up sums in the backend's memory over all workers, which call the same functions with the same sizes.
class SumExchange {
 public:
  SumExchange() = default;
  SumExchange(const SumExchange&) = delete;
  SumExchange& operator=(const SumExchange&) = delete;
  virtual ~SumExchange() = default;

  virtual std::string library() const = 0;  // what adds up: name and version, e.g. "NCCL 2.28.9"
  // Returns true if sums travel while the kernels called after start() run.
  virtual bool overlaps() const = 0;
  // Starts to replace n sums by those over all workers, as the kernels called so far leave them. Kernels must
  // not touch them before finish().
  virtual void start(int64_t* sums, int64_t n) = 0;
  // Kernels called from now on see the results of all that was started.
  virtual void finish() = 0;
  // Throws std::runtime_error if a sum that kernels have seen was not completed.
  virtual void check() = 0;
  // Returns the seconds since the last call that kernels have waited between what was called before finish()
  // and the results. On a device they are known when it has come that far, so they may be of earlier calls.
  virtual double waited() = 0;
};

// Fixed properties of a backend.
struct Capabilities {
  bool is_host;             // the host can read the backend's memory
  size_t activation_bytes;  // bytes of one activation
  // Convolutions apply their epilogue before they store a sum: y may be the epilogue's residual or a slice of
  // the channels of larger pixels.
  bool finishes_before_storing;
  // Norms and max pools can store y as a slice of the channels of larger pixels (geometry.y_channels).
  bool stores_among_channels;
};

class Backend {
 public:
  Backend() = default;
  Backend(const Backend&) = delete;
  Backend& operator=(const Backend&) = delete;
  virtual ~Backend() = default;

  virtual std::string name() const = 0;
  virtual Capabilities capabilities() const = 0;

  // ---- Memory. Blocks are 64-byte aligned; allocate throws std::bad_alloc.
  virtual size_t free_memory() const = 0;  // bytes
  virtual void* allocate(size_t bytes) = 0;
  virtual void release(void* block, size_t bytes) = 0;

  // ---- Copies between the host and the backend. They wait for the kernels called before, and for the copy.
  virtual void upload(const void* host, void* to, size_t bytes) = 0;
  virtual void download(const void* from, void* host, size_t bytes) = 0;
  virtual void upload_activations(int64_t n, const float* host, activation* to) = 0;
  virtual void download_activations(int64_t n, const activation* from, real* host) = 0;
  // Returns null if the host can read the backend's memory.
  virtual std::unique_ptr<StagedUpload> open_upload() = 0;

  // ---- Workers
  // All workers call it together. `workers` and the backend must outlive the result.
  virtual std::unique_ptr<SumExchange> open_exchange(Communicator& workers) = 0;

  // ---- Kernels
  virtual void run(const KernelCall&) = 0;
  // Returns the bytes of workspace that the call needs. For a call with a geometry this is what any pass over
  // that geometry needs, so pointers do not matter.
  virtual size_t workspace(const KernelCall&) const = 0;
  // Makes the workspace at least this large. The contents are lost.
  virtual void reserve_workspace(size_t bytes) = 0;
  // Calls `work` and records the kernels it calls, with their arguments, instead of running them. `work` must
  // not copy between host and backend, nor be the first to reserve workspace. Returns null, without calling
  // `work`, in a backend that gains nothing by capturing.
  virtual std::unique_ptr<KernelGraph> capture(const std::function<void()>& work) = 0;

  // Calls `work` on the host, between the kernels called before it and those called after: now, or if a
  // sequence is being captured, each time that it is launched. `work` may start an exchange, but must not call
  // kernels.
  virtual void call_host(const std::function<void()>& work);

  // ---- Convolution algorithms
  // Returns the number of reals that PackWeight writes; 0 if packing gains nothing.
  virtual int64_t packed_weight_size(const Conv2dGeometry&) const = 0;
  // Returns true if there are NormConv2d kernels for the geometry.
  virtual bool fuses_norm(const Conv2dGeometry&) const = 0;
};

}  // namespace crescendo

// CUDA's stream and event as owners.
#pragma once

#include <cuda_runtime.h>

#include "kernels/cuda/check.h"

namespace crescendo::cuda {

// A stream of a device. The constructor makes the device current.
class Stream {
 public:
  explicit Stream(int device) {
    check(cudaSetDevice(device), "device");
    check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "stream");
  }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  ~Stream() { cudaStreamDestroy(stream_); }
  cudaStream_t get() const { return stream_; }

 private:
  cudaStream_t stream_ = nullptr;
};

// A point in a stream. Waiting for it returns at once until the first record().
class Event {
 public:
  enum Kind { plain, timed };
  explicit Event(Kind kind = plain) {
    // Blocking sync: the host sleeps while it waits and leaves its core to the loader.
    const unsigned flags = cudaEventBlockingSync | (kind == plain ? cudaEventDisableTiming : 0);
    check(cudaEventCreateWithFlags(&event_, flags), "event");
  }
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;
  ~Event() { cudaEventDestroy(event_); }

  void record(cudaStream_t stream) { check(cudaEventRecord(event_, stream), "event"); }
  // Makes whatever enters the stream from now on wait for the point.
  void hold(cudaStream_t stream) const { check(cudaStreamWaitEvent(stream, event_, 0), "event"); }
  cudaError_t wait() const { return cudaEventSynchronize(event_); }
  bool has_passed() const {
    const cudaError_t state = cudaEventQuery(event_);
    if (state != cudaErrorNotReady) check(state, "event");
    return state == cudaSuccess;
  }
  // Both events must be timed and have passed.
  double seconds_since(const Event& earlier) const {
    float milliseconds = 0;
    check(cudaEventElapsedTime(&milliseconds, earlier.event_, event_), "event");
    return 1e-3 * static_cast<double>(milliseconds);
  }

 private:
  cudaEvent_t event_ = nullptr;
};

}  // namespace crescendo::cuda

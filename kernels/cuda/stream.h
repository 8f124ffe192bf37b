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
  Event() {
    // Blocking sync: the host sleeps while it waits and leaves its core to the loader.
    check(cudaEventCreateWithFlags(&event_, cudaEventDisableTiming | cudaEventBlockingSync), "event");
  }
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;
  ~Event() { cudaEventDestroy(event_); }

  void record(cudaStream_t stream) { check(cudaEventRecord(event_, stream), "event"); }
  // Makes whatever enters the stream from now on wait for the point.
  void hold(cudaStream_t stream) const { check(cudaStreamWaitEvent(stream, event_, 0), "event"); }
  cudaError_t wait() const { return cudaEventSynchronize(event_); }

 private:
  cudaEvent_t event_ = nullptr;
};

}  // namespace crescendo::cuda

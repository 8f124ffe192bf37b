// A stream and an event of CUDA as objects.
#pragma once

#include <cuda_runtime.h>

#include "kernels/cuda/check.h"

namespace crescendo::cuda {

// A stream of a device, which it makes the current one.
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

// A point in a stream. Before the first record() nothing waits for it.
class Event {
 public:
  Event() {
    // The host sleeps while it waits, and leaves its core to the loader.
    check(cudaEventCreateWithFlags(&event_, cudaEventDisableTiming | cudaEventBlockingSync), "event");
  }
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;
  ~Event() { cudaEventDestroy(event_); }

  void record(cudaStream_t stream) { check(cudaEventRecord(event_, stream), "event"); }
  // What comes into the stream from now on begins after the point.
  void hold(cudaStream_t stream) const { check(cudaStreamWaitEvent(stream, event_, 0), "event"); }
  cudaError_t wait() const { return cudaEventSynchronize(event_); }

 private:
  cudaEvent_t event_ = nullptr;
};

}  // namespace crescendo::cuda

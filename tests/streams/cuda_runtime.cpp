// The stand-in for the CUDA runtime (include/cuda_runtime.h).
#include <cuda_runtime.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <utility>

#include "streams/stream_thread.h"

// ---- Streams

CUstream_st::CUstream_st() : random_(std::random_device()()), thread_([this] { run(); }) {}

CUstream_st::~CUstream_st() {
  {
    const std::lock_guard lock(mutex_);
    ends_ = true;
    changed_.notify_all();
  }
  thread_.join();
}

void CUstream_st::add(Work work) {
  if (recording_) return recording_->push_back(std::move(work));
  const std::lock_guard lock(mutex_);
  works_.push_back(std::move(work));
  changed_.notify_all();
}

void CUstream_st::wait() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return works_.empty(); });
}

std::vector<CUstream_st::Work> CUstream_st::end_capture() {
  const auto recorded = std::exchange(recording_, nullptr);
  return *recorded;
}

void CUstream_st::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [&] { return ends_ || !works_.empty(); });
    if (works_.empty()) return;
    const Work work = works_.front();
    lock.unlock();
    constexpr unsigned kLongestPause = 40, kPauses = 8;  // one thing in eight starts up to 40 us late
    if (random_() % kPauses == 0)
      std::this_thread::sleep_for(std::chrono::microseconds(random_() % kLongestPause));
    work();
    lock.lock();
    works_.pop_front();
    changed_.notify_all();
  }
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
  *stream = new CUstream_st;
  return cudaSuccess;
}

cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  delete stream;
  return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  if (stream->captures()) return cudaErrorStreamCaptureUnsupported;
  stream->wait();
  return cudaSuccess;
}

// ---- Events. The stream that comes to a record outlives the event's handle, so both share the state.

namespace {

using Clock = std::chrono::steady_clock;

struct EventState {
  std::mutex mutex;
  std::condition_variable changed;
  int64_t recorded = 0, passed = 0;  // numbers of records
  Clock::time_point time;            // of the last one passed

  bool has_passed(int64_t number) {
    const std::lock_guard lock(mutex);
    return passed >= number;
  }
  void wait(int64_t number) {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return passed >= number; });
  }
  void pass(int64_t number) {
    const std::lock_guard lock(mutex);
    passed = number;
    time = Clock::now();
    changed.notify_all();
  }
};

}  // namespace

struct CUevent_st {
  std::shared_ptr<EventState> state = std::make_shared<EventState>();
};

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) {
  *event = new CUevent_st;
  return cudaSuccess;
}

cudaError_t cudaEventDestroy(cudaEvent_t event) {
  delete event;
  return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  if (stream->captures()) return cudaErrorStreamCaptureUnsupported;
  const int64_t number = ++event->state->recorded;
  stream->add([state = event->state, number] { state->pass(number); });
  return cudaSuccess;
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned) {
  if (stream->captures()) return cudaErrorStreamCaptureUnsupported;
  stream->add([state = event->state, number = event->state->recorded] { state->wait(number); });
  return cudaSuccess;
}

cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  event->state->wait(event->state->recorded);
  return cudaSuccess;
}

cudaError_t cudaEventQuery(cudaEvent_t event) {
  return event->state->has_passed(event->state->recorded) ? cudaSuccess : cudaErrorNotReady;
}

cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t begin, cudaEvent_t end) {
  if (cudaEventQuery(begin) != cudaSuccess || cudaEventQuery(end) != cudaSuccess) return cudaErrorNotReady;
  *milliseconds = std::chrono::duration<float, std::milli>(end->state->time - begin->state->time).count();
  return cudaSuccess;
}

// ---- Graphs

struct CUgraph_st {
  std::vector<CUstream_st::Work> works;
};
struct CUgraphExec_st {
  std::vector<CUstream_st::Work> works;
};

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode) {
  if (stream->captures()) return cudaErrorInvalidValue;
  stream->begin_capture();
  return cudaSuccess;
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  if (!stream->captures()) return cudaErrorInvalidValue;
  *graph = new CUgraph_st{stream->end_capture()};
  return cudaSuccess;
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t* executable, cudaGraph_t graph, unsigned long long) {
  *executable = new CUgraphExec_st{graph->works};
  return cudaSuccess;
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  delete graph;
  return cudaSuccess;
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable) {
  delete executable;
  return cudaSuccess;
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t stream) {
  if (stream->captures()) return cudaErrorStreamCaptureUnsupported;
  for (const CUstream_st::Work& work : executable->works) stream->add(work);
  return cudaSuccess;
}

// ---- Copies

cudaError_t cudaHostAlloc(void** block, size_t bytes, unsigned) {
  *block = ::operator new(bytes);
  return cudaSuccess;
}

cudaError_t cudaFreeHost(void* block) {
  ::operator delete(block);
  return cudaSuccess;
}

cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind, cudaStream_t stream) {
  if (stream->captures()) return cudaErrorStreamCaptureUnsupported;
  stream->add([=] { std::memcpy(to, from, bytes); });
  return cudaSuccess;
}

// ---- Devices and errors

cudaError_t cudaSetDevice(int) { return cudaSuccess; }

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device) {
  *properties = {};
  std::memcpy(properties->uuid.bytes, &device, sizeof device);
  return cudaSuccess;
}

cudaError_t cudaGetLastError() { return cudaSuccess; }

const char* cudaGetErrorString(cudaError_t error) {
  switch (error) {
    case cudaSuccess:
      return "no error";
    case cudaErrorInvalidValue:
      return "invalid argument";
    case cudaErrorMemoryAllocation:
      return "out of memory";
    case cudaErrorNotReady:
      return "device not ready";
    case cudaErrorStreamCaptureUnsupported:
      return "operation not permitted when stream is capturing";
  }
  return "unknown error";
}

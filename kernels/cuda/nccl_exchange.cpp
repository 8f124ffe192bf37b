#include "kernels/cuda/nccl_exchange.h"

#include <nccl.h>

#include <array>
#include <cstring>
#include <deque>
#include <exception>
#include <set>
#include <span>
#include <stdexcept>
#include <vector>

#include "kernels/communicator.h"
#include "kernels/cuda/stream.h"

namespace crescendo::cuda {
namespace {

void check_nccl(ncclResult_t result, const char* what, ncclComm_t communicator = nullptr) {
  if (result == ncclSuccess) return;
  std::string message = std::string("NCCL: ") + what + ": " + ncclGetErrorString(result);
  const char* const more = ncclGetLastError(communicator);
  if (more != nullptr && *more != '\0') message.append(": ").append(more);
  throw std::runtime_error(message);
}

using DeviceId = std::array<std::byte, sizeof(cudaUUID_t)>;

// Returns true if no two workers have the same device.
bool has_own_devices(Communicator& workers, int device) {
  cudaDeviceProp properties{};
  check(cudaGetDeviceProperties(&properties, device), "device properties");
  DeviceId mine;
  std::memcpy(mine.data(), &properties.uuid, mine.size());
  std::vector<DeviceId> all(static_cast<size_t>(workers.size()));
  workers.gather(mine, std::as_writable_bytes(std::span(all)));
  return std::set(all.begin(), all.end()).size() == all.size();
}

ncclComm_t connect(Communicator& workers, int device) {
  check(cudaSetDevice(device), "device");
  ncclUniqueId id{};
  if (workers.rank() == 0) check_nccl(ncclGetUniqueId(&id), "unique id");
  workers.broadcast(std::as_writable_bytes(std::span(&id, 1)));
  ncclComm_t communicator = nullptr;
  check_nccl(ncclCommInitRank(&communicator, workers.size(), id, workers.rank()), "start");
  return communicator;
}

// Two points in a stream, to measure the time between them.
struct Interval {
  Event begin{Event::timed}, end{Event::timed};
};

class NcclExchange final : public SumExchange {
 public:
  NcclExchange(Communicator& workers, int device, cudaStream_t kernels)
      : kernels_(kernels), sums_(device), communicator_(connect(workers, device)) {}
  ~NcclExchange() override {
    // After an error other workers may have gone, and the work that was started would never end.
    if (std::uncaught_exceptions() > 0)
      ncclCommAbort(communicator_);
    else
      ncclCommDestroy(communicator_);
  }

  std::string library() const override {
    int version = 0;
    check_nccl(ncclGetVersion(&version), "version");
    return "NCCL " + std::to_string(version / 10000) + '.' + std::to_string(version / 100 % 100) + '.' +
           std::to_string(version % 100);
  }
  bool overlaps() const override { return true; }

  void start(int64_t* sums, int64_t n) override {
    ready_.record(kernels_);
    ready_.hold(sums_.get());
    check_nccl(
        ncclAllReduce(sums, sums, static_cast<size_t>(n), ncclInt64, ncclSum, communicator_, sums_.get()),
        "sum", communicator_);
  }

  void finish() override {
    intervals_.emplace_back();
    Interval& interval = intervals_.back();
    interval.begin.record(kernels_);
    done_.record(sums_.get());
    done_.hold(kernels_);
    interval.end.record(kernels_);
  }

  void check() override {
    ncclResult_t state = ncclSuccess;
    check_nccl(ncclCommGetAsyncError(communicator_, &state), "state", communicator_);
    check_nccl(state, "sum", communicator_);
  }

  double waited() override {
    double seconds = 0;
    for (; !intervals_.empty() && intervals_.front().end.has_passed(); intervals_.pop_front())
      seconds += intervals_.front().end.seconds_since(intervals_.front().begin);
    return seconds;
  }

 private:
  cudaStream_t kernels_;
  Stream sums_;  // the sums travel here
  Event ready_, done_;
  ncclComm_t communicator_;
  std::deque<Interval> intervals_;  // of finish(), not yet measured
};

}  // namespace

std::unique_ptr<SumExchange> make_nccl_exchange(Communicator& workers, int device, cudaStream_t kernels) {
  if (!has_own_devices(workers, device)) return nullptr;
  return std::make_unique<NcclExchange>(workers, device, kernels);
}

}  // namespace crescendo::cuda

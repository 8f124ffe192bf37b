// The stand-in for NCCL (include/nccl.h). Its workers meet like those of ThreadCommunicator, at a place of their
// own.
#include <nccl.h>

#include <atomic>
#include <cstring>
#include <map>

#include "streams/stream_thread.h"
#include "support/thread_communicator.h"

using crescendo::test::Meeting;
using crescendo::test::ThreadCommunicator;

namespace {

std::mutex mutex;
std::map<int64_t, std::shared_ptr<Meeting>> meetings;  // by the number in the unique id
int64_t last_id = 0;
std::atomic<int64_t> sums = 0;
std::atomic<int> broken_rank = -1;

}  // namespace

struct ncclComm {
  ncclComm(std::shared_ptr<Meeting> place, int rank, int ranks)
      : meeting(std::move(place)), communicator(*meeting, rank, ranks) {}
  std::shared_ptr<Meeting> meeting;
  ThreadCommunicator communicator;
  std::atomic<ncclResult_t> state = ncclSuccess;
};

ncclResult_t ncclGetVersion(int* version) {
  *version = 22803;
  return ncclSuccess;
}

ncclResult_t ncclGetUniqueId(ncclUniqueId* id) {
  const std::lock_guard lock(mutex);
  *id = {};
  ++last_id;
  std::memcpy(id->internal, &last_id, sizeof last_id);
  return ncclSuccess;
}

ncclResult_t ncclCommInitRank(ncclComm_t* communicator, int ranks, ncclUniqueId id, int rank) {
  int64_t number = 0;
  std::memcpy(&number, id.internal, sizeof number);
  const std::lock_guard lock(mutex);
  if (number == 0 || number > last_id) return ncclInvalidArgument;
  std::shared_ptr<Meeting>& meeting = meetings[number];
  if (!meeting) meeting = std::make_shared<Meeting>(ranks);
  *communicator = new ncclComm(meeting, rank, ranks);
  return ncclSuccess;
}

// (Streams that still use the communicator have been waited for.)
ncclResult_t ncclCommDestroy(ncclComm_t communicator) {
  delete communicator;
  return ncclSuccess;
}

// The communicator stays, since streams may still use it.
ncclResult_t ncclCommAbort(ncclComm_t communicator) {
  communicator->meeting->abort(1);
  static std::vector<std::unique_ptr<ncclComm>> aborted;
  const std::lock_guard lock(mutex);
  aborted.emplace_back(communicator);
  return ncclSuccess;
}

ncclResult_t ncclCommGetAsyncError(ncclComm_t communicator, ncclResult_t* error) {
  *error = communicator->state;
  return ncclSuccess;
}

ncclResult_t ncclAllReduce(const void* from, void* to, size_t count, ncclDataType_t, ncclRedOp_t,
                           ncclComm_t communicator, cudaStream_t stream) {
  if (from != to) return ncclInvalidArgument;  // this program's sums are in place
  stream->add([=] {
    int expected = communicator->communicator.rank();
    if (broken_rank.compare_exchange_strong(expected, -1)) communicator->meeting->abort(1);
    try {
      communicator->communicator.sum({static_cast<int64_t*>(to), count});
      ++sums;
    } catch (const std::exception&) {
      communicator->state = ncclRemoteError;
    }
  });
  return ncclSuccess;
}

const char* ncclGetErrorString(ncclResult_t result) {
  return result == ncclRemoteError ? "remote process exited or there was a network error"
                                   : "invalid argument";
}

const char* ncclGetLastError(ncclComm_t) { return ""; }

namespace crescendo::test {

int64_t nccl_sums() { return sums; }
void break_nccl(int rank) { broken_rank = rank; }

}  // namespace crescendo::test

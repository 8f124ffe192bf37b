#include "kernels/mpi/mpi_communicator.h"

#include <algorithm>
#include <array>
#include <climits>
#include <stdexcept>

namespace crescendo::mpi {
namespace {

// Larger arrays are cut, so that the pieces fit a cache and counts an int.
constexpr size_t kSumPiece = size_t{1} << 17;  // numbers: 1 MiB
constexpr size_t kBytePiece = size_t{1} << 26;

// Returns "Open MPI 4.1.4" for "Open MPI v4.1.4, package: ...".
std::string library_name() {
  std::array<char, MPI_MAX_LIBRARY_VERSION_STRING> text{};
  int length = 0;
  MPI_Get_library_version(text.data(), &length);
  std::string name(text.data(), static_cast<size_t>(length));
  name = name.substr(0, name.find_first_of(",\n"));
  const size_t v = name.find(" v");
  if (v != std::string::npos) name.erase(v + 1, 1);
  return name;
}

}  // namespace

MpiCommunicator::MpiCommunicator(double silence)
    : watch_(silence), operations_([this] { watch_.beat(); }, kHeartbeat) {
  operations_.run([this] { introduce(); });
}

void MpiCommunicator::introduce() {
  MPI_Comm_rank(MPI_COMM_WORLD, &rank_);
  MPI_Comm_size(MPI_COMM_WORLD, &size_);
  MPI_Comm machine = MPI_COMM_NULL;
  check(MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, rank_, MPI_INFO_NULL, &machine),
        "MPI_Comm_split_type");
  int local_size = 1;
  MPI_Comm_rank(machine, &local_rank_);
  MPI_Comm_size(machine, &local_size);
  operations_.share_machine(local_size);
  MPI_Comm_free(&machine);
  library_ = library_name();
  watch_.start();
}

void MpiCommunicator::wait() {
  watch_.begin_wait();
  operations_.wait();
  watch_.end_wait();
}

void MpiCommunicator::sum(std::span<int64_t> values) {
  start_sum(values);
  finish_sums();
}

void MpiCommunicator::start_sum(std::span<int64_t> values) {
  for (size_t done = 0; done < values.size(); done += kSumPiece) {
    const std::span<int64_t> piece = values.subspan(done, std::min(kSumPiece, values.size() - done));
    operations_.add([piece] {
      MPI_Request request = MPI_REQUEST_NULL;
      check(MPI_Iallreduce(MPI_IN_PLACE, piece.data(), static_cast<int>(piece.size()), MPI_INT64_T, MPI_SUM,
                           MPI_COMM_WORLD, &request),
            "MPI_Iallreduce");
      return request;
    });
  }
}

void MpiCommunicator::gather(std::span<const std::byte> mine, std::span<std::byte> all) {
  if (mine.size() > INT_MAX) throw std::invalid_argument("gather: more than 2^31 - 1 bytes of a worker");
  std::copy(mine.begin(), mine.end(), all.begin() + static_cast<std::ptrdiff_t>(mine.size()) * rank_);
  operations_.add([mine, all] {
    MPI_Request request = MPI_REQUEST_NULL;
    check(MPI_Iallgather(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, all.data(), static_cast<int>(mine.size()),
                         MPI_BYTE, MPI_COMM_WORLD, &request),
          "MPI_Iallgather");
    return request;
  });
  wait();
}

void MpiCommunicator::broadcast(std::span<std::byte> bytes) {
  for (size_t done = 0; done < bytes.size(); done += kBytePiece) {
    const std::span<std::byte> piece = bytes.subspan(done, std::min(kBytePiece, bytes.size() - done));
    operations_.add([piece] {
      MPI_Request request = MPI_REQUEST_NULL;
      check(MPI_Ibcast(piece.data(), static_cast<int>(piece.size()), MPI_BYTE, 0, MPI_COMM_WORLD, &request),
            "MPI_Ibcast");
      return request;
    });
  }
  wait();
}

}  // namespace crescendo::mpi

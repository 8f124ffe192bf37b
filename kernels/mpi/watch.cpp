#include "kernels/mpi/watch.h"

#include <execinfo.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>

#include "base/host_name.h"
#include "kernels/mpi/exit_codes.h"
#include "kernels/mpi/operations.h"

namespace crescendo::mpi {
namespace {

constexpr int kTag = 1;
constexpr int kHostLength = 256;

double seconds_since(Watch::Clock::time_point start) {
  return std::chrono::duration<double>(Watch::Clock::now() - start).count();
}

Watch::Text activity_of(const std::string& words) {
  Watch::Text text{};
  std::copy_n(words.begin(), std::min(words.size(), text.size() - 1), text.begin());
  return text;
}

// Prints the stack of the thread that receives the signal.
extern "C" void print_stack(int) {
  std::array<void*, 64> frames{};
  backtrace_symbols_fd(frames.data(), backtrace(frames.data(), static_cast<int>(frames.size())),
                       STDERR_FILENO);
}

}  // namespace

Watch::Watch(double silence) : silence_(silence), host_(host_name()), activity_(activity_of("its start")) {
  std::array<void*, 1> frame{};
  backtrace(frame.data(), 1);  // the first call allocates, which a signal handler must not
  std::signal(SIGUSR2, print_stack);
}

void Watch::start() {
  int size = 0;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank_);
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  check(MPI_Comm_dup(MPI_COMM_WORLD, &beats_), "MPI_Comm_dup");
  check(MPI_Comm_set_errhandler(beats_, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler");
  std::string mine = host_, all(static_cast<size_t>(size) * kHostLength, '\0');
  mine.resize(kHostLength);
  check(MPI_Allgather(mine.data(), kHostLength, MPI_BYTE, all.data(), kHostLength, MPI_BYTE, beats_),
        "MPI_Allgather");
  peers_.resize(rank_ == 0 ? static_cast<size_t>(size) - 1 : 1);
  for (size_t i = 0; i < peers_.size(); ++i) {
    peers_[i].rank = rank_ == 0 ? static_cast<int>(i) + 1 : 0;
    peers_[i].host = all.c_str() + static_cast<size_t>(peers_[i].rank) * kHostLength;
    peers_[i].activity = activity_of("its start");
    peers_[i].heard = Clock::now();
  }
  last_beat_ = Clock::now();
}

void Watch::note(const std::string& activity, double seconds) {
  const std::lock_guard lock(mutex_);
  activity_ = activity_of(activity);
  allowed_ = seconds;
  since_ = Clock::now();
  watched_ = pthread_self();
}

void Watch::begin_wait() {
  const std::lock_guard lock(mutex_);
  waiting_ = true;
}

void Watch::end_wait() {
  const std::lock_guard lock(mutex_);
  waiting_ = false;
  since_ = Clock::now();
}

void Watch::beat() {
  if (beats_ == MPI_COMM_NULL) return;
  // A process that was stopped has missed the others' heartbeats, and could make no progress.
  const bool was_stopped = seconds_since(last_beat_) > silence_ / 2;
  last_beat_ = Clock::now();
  if (was_stopped)
    for (Peer& peer : peers_) peer.heard = last_beat_;
  Text activity;
  {
    const std::lock_guard lock(mutex_);
    if (was_stopped) since_ = last_beat_;
    activity = activity_;
  }
  send(activity);
  receive();
  check_peers();
  check_self();
}

// Skips a peer that has not taken the heartbeat before.
void Watch::send(const Text& activity) {
  for (Peer& peer : peers_) {
    int sent = 0;
    check(MPI_Test(&peer.request, &sent, MPI_STATUS_IGNORE), "MPI_Test");
    if (sent == 0) continue;
    peer.sent = activity;
    check(MPI_Isend(peer.sent.data(), static_cast<int>(peer.sent.size()), MPI_BYTE, peer.rank, kTag, beats_,
                    &peer.request),
          "MPI_Isend");
  }
}

void Watch::receive() {
  for (;;) {
    int found = 0;
    MPI_Status status;
    check(MPI_Iprobe(MPI_ANY_SOURCE, kTag, beats_, &found, &status), "MPI_Iprobe");
    if (found == 0) return;
    Peer& peer = peers_[rank_ == 0 ? static_cast<size_t>(status.MPI_SOURCE) - 1 : 0];
    check(MPI_Recv(peer.activity.data(), static_cast<int>(peer.activity.size()), MPI_BYTE, status.MPI_SOURCE,
                   kTag, beats_, MPI_STATUS_IGNORE),
          "MPI_Recv");
    peer.heard = Clock::now();
  }
}

void Watch::check_peers() {
  for (const Peer& peer : peers_) {
    const double silent = seconds_since(peer.heard);
    if (silent < silence_) continue;
    std::fprintf(
        stderr,
        "crescendo: rank %d on %s has been silent for %.0f s, last heard of in %s; --resume continues "
        "the run\n",
        peer.rank, peer.host.c_str(), silent, peer.activity.data());
    leave(kTryAgain);
  }
}

void Watch::check_self() {
  const std::lock_guard lock(mutex_);
  if (waiting_ || allowed_ == 0 || seconds_since(since_) < allowed_) return;
  std::fprintf(
      stderr,
      "crescendo: rank %d on %s hangs: no progress for %.0f s in %s; --resume continues the run. Its "
      "stack:\n",
      rank_, host_.c_str(), seconds_since(since_), activity_.data());
  pthread_kill(watched_, SIGUSR2);
  sleep(1);  // for the thread to print
  leave(kTryAgain);
}

}  // namespace crescendo::mpi

// The watch over the workers: each sends a heartbeat every second, all to rank 0 and rank 0 to all. A worker
// that is silent for a while has lost its machine or its connection, or was stopped. A worker that makes no
// progress finds out by itself, since its thread of MPI calls goes on.
#pragma once

#include <mpi.h>
#include <pthread.h>

#include <array>
#include <chrono>
#include <mutex>
#include <string>
#include <vector>

namespace crescendo::mpi {

constexpr double kHeartbeat = 1;  // seconds

class Watch {
 public:
  using Clock = std::chrono::steady_clock;
  using Text = std::array<char, 64>;  // an activity, as it is sent

  // A worker that is silent for so many seconds is lost.
  explicit Watch(double silence);
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

  // Begins to watch; on the thread of MPI calls, like beat().
  void start();
  // Sends and receives heartbeats. Ends all workers if one is lost or makes no progress.
  void beat();

  // Notes what the calling thread does from now on, and the longest that it may take.
  void note(const std::string& activity, double seconds);
  // Between the two the main thread waits for other workers, for any time.
  void begin_wait();
  void end_wait();

 private:
  struct Peer {
    int rank = 0;
    Text sent{}, activity{};
    MPI_Request request = MPI_REQUEST_NULL;
    Clock::time_point heard;
    std::string host;
  };

  void send(const Text& activity);
  void receive();
  void check_peers();
  void check_self();

  double silence_;
  int rank_ = 0;
  std::string host_;
  MPI_Comm beats_ = MPI_COMM_NULL;
  std::vector<Peer> peers_;  // rank 0's: all others; others': rank 0
  Clock::time_point last_beat_;

  std::mutex mutex_;  // guards the rest
  Text activity_{};
  double allowed_ = 0;  // seconds outside of waits; 0: any time
  bool waiting_ = false;
  Clock::time_point since_;  // last note or end of a wait
  pthread_t watched_{};
};

}  // namespace crescendo::mpi

#include "trainer/signals.h"

#include <unistd.h>

#include <array>
#include <atomic>
#include <csignal>
#include <cstring>

namespace crescendo {
namespace {

constexpr std::array kSignals = {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2, SIGXCPU};
std::array<struct sigaction, kSignals.size()> actions_before;

// A signal handler may touch only a lock-free flag, and reaches it without an object.
std::atomic<int> received_signal = 0;
static_assert(std::atomic<int>::is_always_lock_free);

extern "C" void remember_signal(int signal) {
  int none = 0;
  if (received_signal.compare_exchange_strong(none, signal)) return;
  if (received_signal == signal && (signal == SIGINT || signal == SIGTERM)) _exit(128 + signal);
}

}  // namespace

SignalGuard::SignalGuard() {
  received_signal = 0;
  for (size_t i = 0; i < kSignals.size(); ++i) {
    struct sigaction action {};
    action.sa_handler = remember_signal;
    sigemptyset(&action.sa_mask);
    action.sa_flags = SA_RESTART;
    sigaction(kSignals[i], nullptr, &actions_before[i]);
    const bool is_ignored = actions_before[i].sa_handler == SIG_IGN;
    if (kSignals[i] != SIGHUP || !is_ignored) sigaction(kSignals[i], &action, nullptr);
  }
}

SignalGuard::~SignalGuard() {
  for (size_t i = 0; i < kSignals.size(); ++i) sigaction(kSignals[i], &actions_before[i], nullptr);
}

int SignalGuard::received() const { return received_signal; }

std::string name_of_signal(int signal) { return std::string("SIG") + sigabbrev_np(signal); }

}  // namespace crescendo

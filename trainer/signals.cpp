#include "trainer/signals.h"

#include <unistd.h>

#include <atomic>
#include <csignal>
#include <initializer_list>

namespace crescendo {
namespace {

// A signal handler may touch only a lock-free flag, and reaches it without an object.
std::atomic<int> received_signal = 0;
static_assert(std::atomic<int>::is_always_lock_free);

extern "C" void remember_signal(int signal) {
  if (received_signal != 0) _exit(128 + signal);
  received_signal = signal;
}

void handle(void (*handler)(int)) {
  for (const int signal : {SIGINT, SIGTERM, SIGUSR1}) {
    struct sigaction action {};
    action.sa_handler = handler;
    sigemptyset(&action.sa_mask);
    action.sa_flags = SA_RESTART;
    sigaction(signal, &action, nullptr);
  }
}

}  // namespace

SignalGuard::SignalGuard() {
  received_signal = 0;
  handle(remember_signal);
}

SignalGuard::~SignalGuard() { handle(SIG_DFL); }

int SignalGuard::received() const { return received_signal; }

}  // namespace crescendo

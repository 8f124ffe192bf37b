// SIGINT, SIGTERM and SIGUSR1. The first signal asks a run to save and stop at its next update; a second ends the
// process at once, with exit code 128 + signal.
#pragma once

namespace crescendo {

class SignalGuard {
 public:
  SignalGuard();  // handles the signals; one guard at a time
  SignalGuard(const SignalGuard&) = delete;
  SignalGuard& operator=(const SignalGuard&) = delete;
  ~SignalGuard();  // restores the default handlers

  // Returns the signal received; 0 for none.
  int received() const;
};

}  // namespace crescendo

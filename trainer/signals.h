// The signals that ask a run to save and stop at its next update: SIGINT (Ctrl-C), SIGTERM, SIGHUP (the terminal has
// gone), SIGUSR1 and SIGUSR2 (batch systems), SIGXCPU (the limit of processor time). A second SIGINT, or a second
// SIGTERM, ends the process at once, with exit code 128 + signal; other signals may be sent twice by nobody's wish.
#pragma once

#include <string>

namespace crescendo {

class SignalGuard {
 public:
  SignalGuard();  // handles the signals, but SIGHUP not if it is ignored (nohup); one guard at a time
  SignalGuard(const SignalGuard&) = delete;
  SignalGuard& operator=(const SignalGuard&) = delete;
  ~SignalGuard();  // restores the handlers from before

  // Returns the first signal received; 0 for none.
  int received() const;
};

// Returns e.g. "SIGTERM".
std::string name_of_signal(int signal);

}  // namespace crescendo

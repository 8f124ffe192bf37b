// SIGINT and SIGTERM ask a run to save and end at its next update; a second one ends the process at once.
#pragma once

namespace crescendo {

class SignalGuard {
 public:
  SignalGuard();  // takes both signals over; one guard at a time
  SignalGuard(const SignalGuard&) = delete;
  SignalGuard& operator=(const SignalGuard&) = delete;
  ~SignalGuard();  // gives them back

  // The signal received, 0 for none.
  int received() const;
};

}  // namespace crescendo

// Step counters in a backend's memory.
#pragma once

#include "kernels/backend.h"

namespace crescendo::test {

class Counters {
 public:
  Counters(Backend& backend, const StepCounters& values)
      : backend_(backend), memory_(static_cast<StepCounters*>(backend.allocate(sizeof(StepCounters)))) {
    backend_.upload(&values, memory_, sizeof values);
  }
  Counters(const Counters&) = delete;
  Counters& operator=(const Counters&) = delete;
  ~Counters() { backend_.release(memory_, sizeof(StepCounters)); }

  operator StepCounters*() const { return memory_; }
  StepCounters values() const {
    StepCounters host;
    backend_.download(memory_, &host, sizeof host);
    return host;
  }

 private:
  Backend& backend_;
  StepCounters* memory_;
};

}  // namespace crescendo::test

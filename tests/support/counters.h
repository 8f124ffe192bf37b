// A plain struct of counters in a backend's memory.
#pragma once

#include "kernels/backend.h"

namespace crescendo::test {

template <class T>
class Counters {
 public:
  Counters(Backend& backend, const T& values)
      : backend_(backend), memory_(static_cast<T*>(backend.allocate(sizeof(T)))) {
    backend_.upload(&values, memory_, sizeof values);
  }
  Counters(const Counters&) = delete;
  Counters& operator=(const Counters&) = delete;
  ~Counters() { backend_.release(memory_, sizeof(T)); }

  operator T*() const { return memory_; }
  T values() const {
    T host;
    backend_.download(memory_, &host, sizeof host);
    return host;
  }

 private:
  Backend& backend_;
  T* memory_;
};

}  // namespace crescendo::test

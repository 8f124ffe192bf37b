// A number or a plain struct in device memory: kernels write it, the host reads it.
#pragma once

#include "engine/device.h"

namespace crescendo {

template <class T>
class DeviceScalar {
 public:
  explicit DeviceScalar(const Device& device)
      : device_(device), place_(static_cast<T*>(device_.memory().allocate(sizeof(T)))) {}
  DeviceScalar(const DeviceScalar&) = delete;
  DeviceScalar& operator=(const DeviceScalar&) = delete;
  ~DeviceScalar() { device_.memory().release(place_, sizeof(T)); }

  T* place() const { return place_; }
  T value() const {
    T host{};
    device_.kernels().download(place_, &host, sizeof(T));
    return host;
  }
  void set(const T& value) { device_.kernels().upload(&value, place_, sizeof(T)); }

 private:
  Device device_;
  T* place_;
};

}  // namespace crescendo

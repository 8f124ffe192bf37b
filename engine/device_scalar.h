// A number, or a plain struct of numbers, in device memory, for kernels to write and the host to read.
#pragma once

#include "engine/device.h"

namespace crescendo {

template <class T>
class DeviceScalar {
 public:
  explicit DeviceScalar(const Device& device)
      : device_(device), address_(static_cast<T*>(device_.memory().allocate(sizeof(T)))) {}
  DeviceScalar(const DeviceScalar&) = delete;
  DeviceScalar& operator=(const DeviceScalar&) = delete;
  ~DeviceScalar() { device_.memory().release(address_, sizeof(T)); }

  T* address() const { return address_; }
  // Waits for the device and returns the value.
  T value() const {
    T host{};
    device_.backend().download(address_, &host, sizeof(T));
    return host;
  }
  void set(const T& value) { device_.backend().upload(&value, address_, sizeof(T)); }

 private:
  Device device_;
  T* address_;
};

}  // namespace crescendo

// A data set's samples as tensors of a device. Where the device has memory of its own and the set is one of
// bytes, all of it lies there, and kernels make every micro-batch; otherwise a loader's samples are uploaded,
// while the device computes.
#pragma once

#include <memory>

#include "data/loader.h"
#include "engine/tensor.h"
#include "trainer/step/micro_batches.h"

namespace crescendo {

struct DeviceBatch {
  Tensor images;  // [n, h, w, c]
  Tensor labels;  // [n]

  DeviceBatch(const Device& device, const ImageSize& size, int64_t n)
      : images(Tensor::activations(device, {n, size.height, size.width, size.channels})),
        labels(Tensor::indices(device, {n})) {}
};

class Batches {
 public:
  Batches() = default;
  Batches(const Batches&) = delete;
  Batches& operator=(const Batches&) = delete;
  virtual ~Batches() = default;

  // What the host does for the next range: moves whatever is not on the device yet.
  virtual void prepare(const SampleRange& next, const DeviceBatch& batch) = 0;
  // The rest, by kernels alone. The range begins at the counters' position.
  virtual void write(const StepCounters* counters, const DeviceBatch& batch) = 0;
};

// Where n samples at most arrive in a device's memory: images as floats and, right behind them, labels.
// Undefined where it is the host's.
Tensor staging(const Device& device, const ImageSize& size, int64_t n);

class DeviceData {
 public:
  DeviceData(const Device& device, std::shared_ptr<const Dataset> dataset);

  // Of at most `most` samples each, to be prepared in the order of `ranges`.
  std::unique_ptr<Batches> batches(const LoaderOptions& options, int64_t most, SampleRanges ranges) const;

  const Dataset& dataset() const { return *dataset_; }
  const Device& device() const { return device_; }

  // Of such a set of n images on a device.
  static int64_t resident_bytes(int64_t n, const ImageSize& size);

  struct Resident;  // what lies on the device

 private:
  Device device_;
  std::shared_ptr<const Dataset> dataset_;
  std::shared_ptr<const Resident> resident_;  // null: samples are uploaded
};

}  // namespace crescendo

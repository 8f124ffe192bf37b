// The samples of a data set as tensors of a device. If the device has its own memory and the images are
// bytes, the whole set is uploaded once and kernels gather each micro-batch. Otherwise a loader prepares
// samples, which are uploaded while the device computes.
#pragma once

#include <memory>

#include "data/loader.h"
#include "engine/tensor.h"
#include "trainer/step/micro_batches.h"

namespace crescendo {

// A micro-batch in device memory.
struct DeviceBatch {
  Tensor images;  // [n, h, w, c]
  Tensor labels;  // [n]

  DeviceBatch(const Device& device, const ImageSize& size, int64_t n)
      : images(Tensor::activations(device, {n, size.height, size.width, size.channels})),
        labels(Tensor::indices(device, {n})) {}
};

// The micro-batches of a run, one after another.
class Batches {
 public:
  Batches() = default;
  Batches(const Batches&) = delete;
  Batches& operator=(const Batches&) = delete;
  virtual ~Batches() = default;

  // Says which samples will be asked for: those of `range`, and then those of the range `stride` samples later,
  // and so on. Affects speed only.
  virtual void expect(const SampleRange& /*range*/, int64_t /*stride*/) {}
  // Does the host's part for the next range: loads and uploads what the device does not have yet.
  virtual void prepare(const SampleRange& next, const DeviceBatch& batch) = 0;
  // Does the rest with kernels alone, so it can be captured. The range begins at the counters' position.
  virtual void write(const StepCounters* counters, const DeviceBatch& batch) = 0;
};

// Returns a staging buffer in device memory for at most n samples: images as floats and, right behind them,
// labels. Undefined if the device computes in host memory.
Tensor staging(const Device& device, const ImageSize& size, int64_t n);

class DeviceData {
 public:
  DeviceData(const Device& device, std::shared_ptr<const Dataset> dataset);

  // Returns batches of at most `max_samples` samples, each a whole number of chunks of options.chunk samples.
  // Only the chunk before options.end may be smaller. Chooses options.ahead and options.allocate itself.
  std::unique_ptr<Batches> batches(const LoaderOptions& options, int64_t max_samples) const;

  const Dataset& dataset() const { return *dataset_; }
  const Device& device() const { return device_; }

  // Returns the bytes of device memory that a set of n byte images takes.
  static int64_t resident_bytes(int64_t n, const ImageSize& size);

  struct Resident;  // the set in device memory

 private:
  Device device_;
  std::shared_ptr<const Dataset> dataset_;
  std::shared_ptr<const Resident> resident_;  // null: samples are uploaded
};

}  // namespace crescendo

// Loaded samples as tensors of a device.
#pragma once

#include "data/loader.h"
#include "engine/tensor.h"

namespace crescendo {

struct DeviceBatch {
  Tensor images;  // [n, h, w, c]
  Tensor labels;  // [n]

  DeviceBatch(const Device& device, const ImageSize& size, const LoadedSamples& samples)
      : images(Tensor::activations(device, {samples.range.count, size.height, size.width, size.channels})),
        labels(Tensor::indices(device, {samples.range.count})) {
    images.upload(samples.images);
    labels.upload(samples.labels);
  }
};

}  // namespace crescendo

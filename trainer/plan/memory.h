// What a training run will need, computed before it starts: the run's steps, one of each kind, on a device
// that only counts.
#pragma once

#include "data/dataset.h"
#include "engine/device.h"
#include "models/model.h"
#include "trainer/options/options.h"

namespace crescendo {

// Images computed at once: options.micro_batch, or where that is left to us one ghost batch on a processor,
// which gains nothing from more, and on a GPU the largest multiple, found by bisection up to the run's
// largest batch, with which the run fits into the memory that is free. One ghost batch where the noise scale
// is measured. Throws std::invalid_argument where not even that fits.
int64_t micro_batch_size(const TrainOptions& options, const Device& device, const DatasetTraits& data);

struct TrainingMemory {
  int64_t peak_bytes = 0;       // all that training holds at once
  int64_t parameter_bytes = 0;  // of it, parameters, gradients, optimizer state and running statistics
  int64_t micro_batch = 0;
};

TrainingMemory training_memory(const TrainOptions& options, const Device& modelled, const DatasetTraits& data,
                               int64_t micro_batch);

struct LayerCost {
  std::string name;  // of its parameters, or of the op
  Shape output;      // for one image
  int64_t parameters = 0;
  int64_t multiply_adds = 0;  // for one image
};

// Every op of a forward pass over one image, in order. `model` must not have been allocated yet.
std::vector<LayerCost> layer_costs(Model& model, const ImageSize& image_size);

}  // namespace crescendo

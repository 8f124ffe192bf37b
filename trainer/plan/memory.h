// The memory that a training run will need, computed before it starts: one step of each kind on a dry-run
// device, which only counts.
#pragma once

#include "data/dataset.h"
#include "engine/device.h"
#include "models/model.h"
#include "trainer/options/options.h"

namespace crescendo {

// Returns the micro-batch in images: options.micro_batch, if that is given. Otherwise it is one ghost batch
// on a processor, since more gains nothing. On a GPU it is the largest multiple of the ghost batch, up to the
// run's largest batch, with which the run fits into free memory; bisection finds it. Throws
// std::invalid_argument if not even one ghost batch fits.
int64_t micro_batch_size(const TrainOptions& options, const Device& device, const DatasetTraits& data);

struct TrainingMemory {
  int64_t peak_bytes = 0;  // largest amount that training holds at once
  // The part of it for parameters, gradients and their sums, optimizer state and running statistics.
  int64_t parameter_bytes = 0;
  int64_t micro_batch = 0;
  int64_t exchanged_bytes = 0;  // of the sums that several workers exchange in an update
};

// Returns the memory of a run with this micro-batch on a device like `modelled`. Allocates nothing there.
TrainingMemory training_memory(const TrainOptions& options, const Device& modelled, const DatasetTraits& data,
                               int64_t micro_batch);

// The cost of one op of a forward pass.
struct LayerCost {
  std::string name;  // layer that owns its parameters, or the op's name
  Shape output;      // for one image
  int64_t parameters = 0;
  int64_t multiply_adds = 0;  // for one image
};

// Returns the cost of every op of a forward pass over one image, in order. `model` is then allocated on a
// dry-run device: it cannot compute.
std::vector<LayerCost> layer_costs(Model& model, const ImageSize& image_size);

}  // namespace crescendo

// Every worker holds a replica of the model and the optimizer's state. All stay equal to the last bit.
#pragma once

#include <string>

#include "engine/parameters.h"
#include "kernels/communicator.h"

namespace crescendo {

// Copies a flat real tensor of rank 0 to all workers.
void broadcast_tensor(Communicator& workers, const Tensor& flat);
// Does so for all values and running statistics of a model.
void broadcast_parameters(Communicator& workers, ParameterStore& parameters);

// Throws SharedError if a worker's state has another digest, for example because a bit of its memory has
// flipped. The message names the workers that the majority does not agree with.
void compare_replicas(Communicator& workers, const std::string& digest, int64_t updates);

}  // namespace crescendo

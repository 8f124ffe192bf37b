// Checkpoints: the state of a training run in one safetensors file.
//
// Weights and running statistics stand under their own names, optimizer state under
// "optimizer.<buffer>.<parameter>"; convolution weights are stored [out, in, r, s] (PyTorch's order),
// everything else as it is. The metadata hold the rest of CheckpointInfo, an XXH3-128 digest of each tensor's
// bytes and one of the header itself, so that a single flipped bit or missing byte anywhere is found. Errors
// are one line: file, tensor or section, what was found and expected.
#pragma once

#include <cstdint>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include "engine/parameters.h"
#include "trainer/store/file.h"

namespace crescendo {

struct Counters {
  int64_t samples_seen = 0;
  int64_t updates = 0;
  double seconds = 0;  // of training
};

// What a checkpoint says of itself beside its tensors.
struct CheckpointInfo {
  std::string model;  // Model::name
  std::vector<std::string> class_names;
  std::string config;  // the text of config.toml
  Counters counters;
  std::map<std::string, std::string> extra;  // small state of the trainer's own, by name
};

// Optimizer state: a flat real tensor laid out like ParameterStore::values().
struct OptimizerBuffer {
  std::string name;  // "momentum", or "first" and "second"
  Tensor values;
};

struct TrainingState {
  CheckpointInfo info;
  ParameterStore& parameters;  // allocated
  std::vector<OptimizerBuffer> optimizer;
};

// A value that is infinite or not a number was to be saved.
class NonFiniteState : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Writes durably. Throws FileError (the old file, if any, is intact) or NonFiniteState naming the tensor;
// then nothing is written.
void save_checkpoint(const std::string& path, const TrainingState&, FileSystem& files = FileSystem::system());

// Checks the whole file, then fills in weights, running statistics, optimizer state and `state.info`. The
// file must be of the model `state.info.model`, its shapes and its optimizer buffers; floats are converted if
// the build's `real` is of another width. Throws std::invalid_argument before anything of `state` is changed.
void load_checkpoint(const std::string& path, TrainingState& state);

// Weights and running statistics only; optimizer state in the file is ignored. Takes any safetensors file
// with the parameters' names and shapes (convolutions [out, in, r, s]), such as one saved from Python;
// whatever is missing, misshapen or has no place is named. Throws std::invalid_argument before anything is
// changed.
void load_weights(const std::string& path, ParameterStore& parameters);

// Reads and checks the header only.
CheckpointInfo read_checkpoint_info(const std::string& path);

// Throws std::invalid_argument unless every byte is as it was written.
void verify_checkpoint(const std::string& path);

// 32 hexadecimal digits (XXH3-128) of weights, running statistics and optimizer state with their names: equal
// for equal states, whatever the counters and the run folder. A checkpoint's is that of the state it was
// saved from.
std::string digest(const TrainingState&);
std::string checkpoint_digest(const std::string& path);  // checks the whole file

}  // namespace crescendo

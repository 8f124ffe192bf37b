// Checkpoints: the state of a training run in one safetensors file.
//
// Weights and running statistics are stored under their own names, optimizer state under
// "optimizer.<buffer>.<parameter>". Convolution weights are stored [out, in, r, s], PyTorch's order, all
// other tensors as they are in memory. The metadata hold the rest of CheckpointInfo, an XXH3-128 digest of
// each tensor's bytes, and a digest of the header itself, so any flipped bit or missing byte is found. Errors
// are one line: file, tensor or section, what was found, what was expected.
#pragma once

#include <cstdint>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include "engine/parameters.h"
#include "trainer/store/file.h"

namespace crescendo {

// Progress of a run.
struct Counters {
  int64_t samples_seen = 0;
  int64_t updates = 0;
  double seconds = 0;  // of training
};

// The contents of a checkpoint besides its tensors.
struct CheckpointInfo {
  std::string model;  // Model::name
  std::vector<std::string> class_names;
  std::string config;  // the text of config.toml
  Counters counters;
  std::map<std::string, std::string> extra;  // small state of the trainer, by name
};

// Optimizer state: a flat real tensor laid out like ParameterStore::values().
struct OptimizerBuffer {
  std::string name;  // "momentum", "first_moment" and "second_moment", or "noise_scale_pair"
  Tensor values;
};

// Everything that a checkpoint saves and restores.
struct TrainingState {
  CheckpointInfo info;
  ParameterStore& parameters;  // allocated
  std::vector<OptimizerBuffer> optimizer;
};

// A tensor to be saved holds a value that is infinite or NaN.
class NonFiniteState : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Writes a checkpoint durably. If writing fails it throws FileError and leaves an older file intact. If a
// value is not finite it writes nothing and throws NonFiniteState with the tensor's name.
void save_checkpoint(const std::string& path, const TrainingState&, FileSystem& files = FileSystem::system());

// Checks the whole file, then fills in weights, running statistics, optimizer state and `state.info`. The
// file must match `state` in model, shapes and optimizer buffers. Floats are converted if the build's `real`
// has another width. Throws std::invalid_argument before it changes anything in `state`.
void load_checkpoint(const std::string& path, TrainingState& state);
// Does the same for a file that verify_checkpoint() has just checked: it checks the header, but not the
// tensors' digests again.
void load_verified_checkpoint(const std::string& path, TrainingState& state);

// Loads weights and running statistics; ignores optimizer state. Takes any safetensors file with the
// parameters' names and shapes (convolutions [out, in, r, s]), for example one saved from Python. Throws
// std::invalid_argument before it changes anything, with the name of each tensor that is missing, has another
// shape or does not belong to the model.
void load_weights(const std::string& path, ParameterStore& parameters);

// Reads and checks the header only.
CheckpointInfo read_checkpoint_info(const std::string& path);

// Checks every byte. Throws std::invalid_argument if any differs from what was written.
void verify_checkpoint(const std::string& path);

// Returns 32 hexadecimal digits: the XXH3-128 of weights, running statistics and optimizer state with their
// names. Equal states have equal digests, whatever the counters and the run folder.
std::string digest(const TrainingState&);
// Checks the whole file and returns the digest of the state it was saved from.
std::string checkpoint_digest(const std::string& path);

}  // namespace crescendo

// Weights for PyTorch: a safetensors file with the names, shapes and layouts of torchvision's and timm's
// state dicts. load_weights (checkpoint.h) reads such files.
#pragma once

#include <string>

#include "models/model.h"
#include "trainer/store/file.h"

namespace crescendo {

// Writes parameters and running statistics. A norm without a scale gets a scale of ones. The auxiliary head
// is left out, since torchvision and timm have none. Throws NonFiniteState (checkpoint.h) and FileError.
void save_for_pytorch(const std::string& path, const Model& model, FileSystem& files = FileSystem::system());

}  // namespace crescendo

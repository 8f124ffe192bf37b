// Which pictures lie in a folder, and what they are labelled.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "data/dataset.h"

namespace crescendo {

struct FolderListing {
  std::filesystem::path folder;
  bool by_class = true;  // files lie in a folder of their class's name; otherwise in the folder itself
  std::vector<std::string> class_names;
  std::vector<std::string> files;    // [n], their names
  std::vector<int32_t> labels;       // [n]
  std::vector<std::string> ignored;  // what is no picture, and was left out

  std::string name(int64_t index) const;  // below the folder
  std::filesystem::path path(int64_t index) const { return folder / name(index); }
};

// See read_image_folder.
FolderListing list_image_folder(const DatasetOptions&, Split);

}  // namespace crescendo

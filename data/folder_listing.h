// Lists the pictures of an image folder with their labels.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "data/dataset.h"

namespace crescendo {

struct FolderListing {
  std::filesystem::path folder;
  bool by_class = true;  // true: files are in one subfolder per class; false: in the folder itself
  std::vector<std::string> class_names;
  std::vector<std::string> files;    // [n], names without folders
  std::vector<int32_t> labels;       // [n]
  std::vector<std::string> ignored;  // paths of files and folders that were left out

  std::string name(int64_t index) const;  // path relative to the folder
  std::filesystem::path path(int64_t index) const { return folder / name(index); }
};

// Lists one split of an image folder. read_image_folder (data/image_folder.h) states the rules.
FolderListing list_image_folder(const DatasetOptions&, Split);

}  // namespace crescendo

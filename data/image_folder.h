// Folders of pictures as ImageNet's users have them: DIR/train/CLASS/* and DIR/val/CLASS/*, or a val folder
// without classes whose labels.txt names a picture and its class in each line.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "data/picture_set.h"

namespace crescendo {

// The pictures of one split, by class and name in the order of their bytes. What is hidden, and files beside
// class folders, are left out and noted. Throws std::invalid_argument, in one line, for a folder that does
// not hold two classes or more, each with pictures and the same in both splits, or whose labels do not fit.
// No picture is opened.
std::shared_ptr<const PictureSource> read_image_folder(const DatasetOptions&, Split);

// A folder's or a pack's pictures.
std::shared_ptr<const PictureSource> open_pictures(const DatasetOptions&, Split);
std::shared_ptr<const Dataset> read_images(const DatasetOptions&, Split);
// All but the size of the images.
DatasetTraits count_images(const DatasetOptions&);

// Whether a folder has train or val in it.
bool looks_like_image_folder(const std::filesystem::path& directory);

CropRecipe recipe_of(Augment augment);

// A file's bytes, which lie in `file` then. Throws std::invalid_argument, without its name.
PictureRecord read_picture_file(const std::filesystem::path& path, std::vector<uint8_t>& file);

}  // namespace crescendo

// Reads folders of pictures in the usual layout of ImageNet: DIR/train/CLASS/* and DIR/val/CLASS/*. The val
// folder may instead have all pictures in it and a file labels.txt, with a picture's name and class per line.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "data/picture_set.h"

namespace crescendo {

// Returns the pictures of one split, sorted by the bytes of class and name. Leaves out hidden files and files
// beside the class folders, and notes them. Opens no picture. Throws std::invalid_argument, with one line,
// unless there are two classes or more, each has pictures, both splits have the same classes, and the labels
// fit the pictures.
std::shared_ptr<const PictureSource> read_image_folder(const DatasetOptions&, Split);

// Returns the pictures of one split of `options.directory`, which is a folder or a pack.
std::shared_ptr<const PictureSource> open_pictures(const DatasetOptions&, Split);
// Returns the data set of images that are cut out of those pictures.
std::shared_ptr<const Dataset> read_images(const DatasetOptions&, Split);
// Returns the traits of that data set, except the image size.
DatasetTraits count_images(const DatasetOptions&);

// Returns true if the folder has a subfolder train or val.
bool looks_like_image_folder(const std::filesystem::path& directory);

// Returns the recipe of an augmentation; `standard` is goyal's.
CropRecipe recipe_of(Augment augment);

// Reads a file into the buffer `file`. Throws std::invalid_argument, without the file's name.
PictureRecord read_picture_file(const std::filesystem::path& path, std::vector<uint8_t>& file);

}  // namespace crescendo

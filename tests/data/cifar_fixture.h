// Writes CIFAR files in the official layout, with a few records each.
#pragma once

#include <filesystem>
#include <string>

#include "data/cifar_format.h"
#include "support/temporary_folder.h"

namespace crescendo {

// Returns the official format with fewer records: 2 test images of each class (CIFAR-100: 1).
inline CifarFormat small_format(const std::string& kind) {
  CifarFormat format = cifar_format(kind);
  format.train.records = kind == "cifar10" ? 20 : 200;
  format.test.records = kind == "cifar10" ? 20 : 100;
  return format;
}

// Returns the value of a byte of the fixture's pixels.
inline uint8_t fixture_pixel(Split split, int64_t image, int64_t plane, int64_t y, int64_t x) {
  return static_cast<uint8_t>(image * 31 + plane * 101 + y * 7 + x * 3 + (split == Split::test ? 57 : 0));
}

// Writes all files. The images of a split are sorted by class, so that single files are unbalanced but splits
// are balanced, as in the official files.
inline int64_t fixture_label(const CifarFormat& format, Split split, int64_t image) {
  return image * format.classes() / format.files(split).images();
}

inline std::string fixture_record(const CifarFormat& format, Split split, int64_t image) {
  const int64_t label = fixture_label(format, split, image);
  std::string record;
  if (format.coarse_classes > 0) record += static_cast<char>(label / 5);
  record += static_cast<char>(label);
  for (int64_t plane = 0; plane < 3; ++plane)
    for (int64_t y = 0; y < 32; ++y)
      for (int64_t x = 0; x < 32; ++x) record += static_cast<char>(fixture_pixel(split, image, plane, y, x));
  return record;
}

inline void write_fixture(const CifarFormat& format, const std::string& folder) {
  std::filesystem::create_directories(folder);
  for (const Split split : {Split::train, Split::test}) {
    int64_t image = 0;
    for (const std::string& name : format.files(split).names) {
      std::string records;
      for (int64_t i = 0; i < format.files(split).records; ++i)
        records += fixture_record(format, split, image++);
      write_text(folder + "/" + name, records);
    }
  }
}

}  // namespace crescendo

// Pictures of any size and where they come from, and the data set of images cut out of them.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "data/crop.h"
#include "data/dataset.h"
#include "data/decoder.h"

namespace crescendo {

// One picture as it is kept: a JPEG or PNG file, or pixels.
struct PictureRecord {
  std::span<const uint8_t> bytes;
  bool raw = false;               // bytes [height, width, 3] in red, green, blue
  int64_t width = 0, height = 0;  // of raw ones
};

// Labelled pictures that can be read in any order, from any thread.
class PictureSource {
 public:
  PictureSource() = default;
  PictureSource(const PictureSource&) = delete;
  PictureSource& operator=(const PictureSource&) = delete;
  virtual ~PictureSource() = default;

  virtual int64_t size() const = 0;
  virtual const std::vector<std::string>& class_names() const = 0;
  virtual int32_t label(int64_t index) const = 0;
  virtual std::string place() const = 0;              // the folder or the pack
  virtual std::string name(int64_t index) const = 0;  // within it
  virtual std::string digest() const = 0;
  virtual bool needs_decoder() const = 0;
  virtual std::vector<DatasetNote> notes() const { return {}; }

  // `buffer` is room that the record may lie in. Throws std::invalid_argument, without the picture's name.
  virtual PictureRecord read(int64_t index, std::vector<uint8_t>& buffer) const = 0;

  std::string path(int64_t index) const { return place() + "/" + name(index); }  // for messages
};

// The whole of a picture, upright, at full size. Throws std::invalid_argument, without its name.
DecodedPicture decode_record(const PictureRecord& record, bool strict);

// Why each of the pictures cannot be used; none if it can. `each` is called from several threads.
using PictureProblem = std::optional<std::string>;
std::vector<PictureProblem> check_pictures(const PictureSource& source);

// What is left of a source when bad pictures are dealt with as the options say: all of them are looked for
// where they are not to end the run, so that the order of the others is the same in each start.
struct PictureChoice {
  std::shared_ptr<const PictureSource> source;
  std::vector<int64_t> chosen;  // [images of the set], pictures of the source
  std::vector<DatasetNote> notes;
};
PictureChoice choose_pictures(std::shared_ptr<const PictureSource> source, const DatasetOptions&, Split);

// The evaluation's or, with `random`, the training's images of size x size.
class PictureSet final : public Dataset {
 public:
  PictureSet(PictureChoice choice, const CropRecipe& recipe, int64_t size, bool random);

  int64_t size() const override { return static_cast<int64_t>(choice_.chosen.size()); }
  ImageSize image_size() const override { return {size_, size_, 3}; }
  const std::vector<std::string>& class_names() const override { return choice_.source->class_names(); }
  std::string digest() const override;
  std::vector<DatasetNote> notes() const override { return choice_.notes; }
  int32_t sample(int64_t index, const SampleKey& key, float* pixels) const override;

 private:
  PictureChoice choice_;
  CropRecipe recipe_;
  int64_t size_;
  bool random_;
};

// How many times the image's resolution a picture that is reduced while it is decoded keeps. In evaluation a
// picture counts the same each time, and from there on the difference to full resolution is too small to
// matter.
inline constexpr int64_t kSpareInTraining = 1, kSpareInEvaluation = 2;

// A record's picture as the crop shows it, normalised. Throws std::invalid_argument, without its name.
using ChooseCrop = std::function<PictureCrop(int64_t width, int64_t height)>;
void write_picture(const PictureRecord& record, const ChooseCrop& choose, const ImageSize& size,
                   const Normalisation& normalisation, int64_t spare, float* pixels);

}  // namespace crescendo

// Sources of labelled pictures of any size, and the data set of images that are cut out of them.
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

// One picture as it is stored: the bytes of a JPEG or PNG file, or pixels.
struct PictureRecord {
  std::span<const uint8_t> bytes;
  bool raw = false;               // true: bytes are pixels [height, width, 3], RGB
  int64_t width = 0, height = 0;  // only if raw
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
  virtual std::string location() const = 0;           // path of the folder or the pack
  virtual std::string name(int64_t index) const = 0;  // picture's path within the location
  // Returns the size of the picture's file, 0 if it cannot be read; of a re-encoded picture a digest.
  virtual uint64_t fingerprint(int64_t index) const = 0;
  virtual bool needs_decoder() const = 0;  // true unless all pictures are raw
  virtual std::vector<DatasetNote> notes() const { return {}; }

  // Reads a picture. The record may point into `buffer`. Throws std::invalid_argument without the name.
  virtual PictureRecord read(int64_t index, std::vector<uint8_t>& buffer) const = 0;

  // Returns the digest of all pictures.
  std::string digest() const;
  std::string path(int64_t index) const { return location() + "/" + name(index); }  // for messages
};

// Returns a digest of the classes, and of the names, labels and fingerprints of these pictures. A folder and a pack
// of the same files have the same digest.
std::string digest_of(const PictureSource& source, std::span<const int64_t> pictures);

// Decodes a whole picture, upright, at full size. Throws std::invalid_argument, without the picture's name.
DecodedPicture decode_record(const PictureRecord& record, bool strict);

// The reason why a picture cannot be decoded; nullopt if it can.
using PictureProblem = std::optional<std::string>;
// Decodes every picture, in several threads, and returns [n] problems.
std::vector<PictureProblem> check_pictures(const PictureSource& source);

// The pictures that a data set uses, after the options' treatment of bad pictures. Unless a bad picture ends
// the run, all bad pictures are found first, so that every start of the run has the same order.
struct PictureChoice {
  std::shared_ptr<const PictureSource> source;
  std::vector<int64_t> chosen;  // [n images of the set], each the index of a picture in the source
  std::vector<DatasetNote> notes;
};
// Throws std::invalid_argument if no picture is left, or fewer than options.train_images are.
PictureChoice choose_pictures(std::shared_ptr<const PictureSource> source, const DatasetOptions&, Split);

// A data set of size x size images, cut out of pictures: at random for training, or as evaluation does.
class PictureSet final : public Dataset {
 public:
  PictureSet(PictureChoice choice, const CropRecipe& recipe, int64_t size, bool random);

  int64_t size() const override { return static_cast<int64_t>(choice_.chosen.size()); }
  ImageSize image_size() const override { return {size_, size_, 3}; }
  const std::vector<std::string>& class_names() const override { return choice_.source->class_names(); }
  std::string digest() const override { return digest_of(*choice_.source, choice_.chosen); }
  std::vector<DatasetNote> notes() const override { return choice_.notes; }
  int32_t sample(int64_t index, const SampleKey& key, float* pixels) const override;

 private:
  PictureChoice choice_;
  CropRecipe recipe_;
  int64_t size_;
  bool random_;
};

// A JPEG may be reduced while it is decoded, to at least this multiple of the image's resolution. Evaluation
// keeps twice the resolution, since from there on the difference to full resolution is too small to matter.
inline constexpr int64_t kSpareInTraining = 1, kSpareInEvaluation = 2;

// Returns the crop of a picture, given its upright width and height.
using ChooseCrop = std::function<PictureCrop(int64_t width, int64_t height)>;
// Decodes a picture, crops and resizes it to pixels [h,w,3] and normalises them. `spare` is one of the
// constants above. Throws std::invalid_argument, without the picture's name.
void write_picture(const PictureRecord& record, const ChooseCrop& choose, const ImageSize& size,
                   const Normalisation& normalisation, int64_t spare, float* pixels);

}  // namespace crescendo

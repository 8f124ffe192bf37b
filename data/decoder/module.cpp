// The decoder module, which data/decoder.cpp loads.
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>

#include "base/check.h"
#include "data/decoder/jpeg.h"

namespace crescendo {
namespace {

// Turns a picture upright, given its EXIF orientation 1 to 8: a transposition, then flips.
cv::Mat upright(const cv::Mat& stored, int orientation) {
  cv::Mat picture = stored;
  if (orientation >= 5) cv::transpose(stored, picture);
  const bool flips_columns = orientation == 2 || orientation == 3 || orientation == 6 || orientation == 7;
  const bool flips_rows = orientation == 3 || orientation == 4 || orientation == 7 || orientation == 8;
  cv::Mat turned;
  if (flips_columns && flips_rows)
    cv::flip(picture, turned, -1);
  else if (flips_columns)
    cv::flip(picture, turned, 1);
  else if (flips_rows)
    cv::flip(picture, turned, 0);
  else
    turned = picture;
  return turned;
}

cv::Mat view_of(const PictureView& picture) {
  return {static_cast<int>(picture.height), static_cast<int>(picture.width), CV_8UC3,
          const_cast<uint8_t*>(picture.bytes)};
}

void copy(const cv::Mat& from, DecodedPicture& picture) {
  picture.allocate({0, 0, from.cols, from.rows});
  from.copyTo(view_of(picture.view()));
}

// Decodes PNG files and CMYK JPEG files, with OpenCV.
void decode_other(std::span<const uint8_t> file, const PictureHeader& header, DecodedPicture& picture) {
  const cv::Mat bytes(1, static_cast<int>(file.size()), CV_8U, const_cast<uint8_t*>(file.data()));
  cv::Mat stored;
  try {
    stored = cv::imdecode(bytes, cv::IMREAD_COLOR | cv::IMREAD_IGNORE_ORIENTATION);
  } catch (const cv::Exception&) {
    stored.release();
  }
  require(stored.cols == header.width && stored.rows == header.height, "cannot be decoded");
  cv::Mat rgb;
  cv::cvtColor(upright(stored, header.orientation), rgb, cv::COLOR_BGR2RGB);
  copy(rgb, picture);
}

void decode(std::span<const uint8_t> file, const PictureHeader& header, const DecodeOptions& options,
            DecodedPicture& picture) {
  if (header.format != PictureFormat::jpeg || header.components == 4)
    return decode_other(file, header, picture);
  if (header.orientation == 1) return decode_jpeg(file, header, options, picture);
  DecodeOptions whole = options;
  whole.wanted = {0, 0, header.width, header.height};
  DecodedPicture stored;
  decode_jpeg(file, header, whole, stored);
  copy(upright(view_of(stored.view()), header.orientation), picture);
}

void encode(const PictureView& picture, int quality, std::vector<uint8_t>& file) {
  cv::Mat bgr;
  cv::cvtColor(view_of(picture), bgr, cv::COLOR_RGB2BGR);
  cv::imencode(".jpg", bgr, file, {cv::IMWRITE_JPEG_QUALITY, quality});
}

}  // namespace
}  // namespace crescendo

extern "C" const crescendo::DecoderFunctions* crescendo_decoder() {
  static const crescendo::DecoderFunctions functions{crescendo::decode, crescendo::encode};
  return &functions;
}

#include "data/decoder/jpeg.h"

#include <algorithm>
#include <array>
#include <csetjmp>
#include <cstdio>  // before jpeglib.h, which needs it

#include <jerror.h>
#include <jpeglib.h>

#include "base/check.h"

namespace crescendo {
namespace {

// The state of libjpeg's error callbacks. The callback for errors must not return, nor throw through C code.
struct Errors {
  jpeg_error_mgr manager{};
  std::jmp_buf stop{};
  std::array<char, JMSG_LENGTH_MAX> text{};
  bool senseless = false;

  static Errors& of(j_common_ptr jpeg) { return *static_cast<Errors*>(jpeg->client_data); }
};

[[noreturn]] void on_error(j_common_ptr jpeg) {
  Errors& errors = Errors::of(jpeg);
  errors.manager.format_message(jpeg, errors.text.data());
  std::longjmp(errors.stop, 1);
}

// Notes the warnings about corrupt data. Others, such as stray bytes before a marker, are harmless.
void on_message(j_common_ptr jpeg, int level) {
  Errors& errors = Errors::of(jpeg);
  constexpr std::array kSenseless{JWRN_HIT_MARKER, JWRN_HUFF_BAD_CODE, JWRN_JPEG_EOF, JWRN_MUST_RESYNC,
                                  JWRN_BOGUS_PROGRESSION};
  if (level >= 0 || errors.senseless) return;
  const int code = errors.manager.msg_code;
  errors.senseless = std::find(kSenseless.begin(), kSenseless.end(), code) != kSenseless.end();
  if (errors.senseless) errors.manager.format_message(jpeg, errors.text.data());
}

void on_output(j_common_ptr) {}

// A libjpeg decompressor that is destroyed on every path.
class Decompressor {
 public:
  explicit Decompressor(std::span<const uint8_t> file) {
    jpeg_.err = jpeg_std_error(&errors.manager);
    jpeg_.client_data = &errors;
    errors.manager.error_exit = on_error;
    errors.manager.emit_message = on_message;
    errors.manager.output_message = on_output;
    jpeg_create_decompress(&jpeg_);
    jpeg_mem_src(&jpeg_, file.data(), file.size());
  }
  Decompressor(const Decompressor&) = delete;
  Decompressor& operator=(const Decompressor&) = delete;
  ~Decompressor() { jpeg_destroy_decompress(&jpeg_); }

  // These return false after an error. They must not have local objects with destructors, since an error
  // leaves them by longjmp.
  bool begin(int reduction);
  bool read(const DecodeOptions& options, Rectangle& region, uint8_t* bytes);

  int64_t width() const { return jpeg_.output_width; }
  int64_t height() const { return jpeg_.output_height; }
  Errors errors;

 private:
  jpeg_decompress_struct jpeg_{};
};

bool Decompressor::begin(int reduction) {
  if (setjmp(errors.stop) != 0) return false;
  jpeg_read_header(&jpeg_, TRUE);
  jpeg_.out_color_space = JCS_RGB;
  jpeg_.scale_num = 1;
  jpeg_.scale_denom = static_cast<unsigned>(reduction);
  jpeg_calc_output_dimensions(&jpeg_);
  return true;
}

// Decodes `region` into `bytes`, which must have room for all columns. libjpeg widens the columns to whole
// blocks of the file; `region` becomes what was decoded.
bool Decompressor::read(const DecodeOptions& options, Rectangle& region, uint8_t* bytes) {
  if (setjmp(errors.stop) != 0) return false;
  jpeg_start_decompress(&jpeg_);
  if (region.width < width()) {
    auto left = static_cast<JDIMENSION>(region.left), columns = static_cast<JDIMENSION>(region.width);
    jpeg_crop_scanline(&jpeg_, &left, &columns);
    region.left = left;
    region.width = columns;
  }
  if (region.top > 0) jpeg_skip_scanlines(&jpeg_, static_cast<JDIMENSION>(region.top));
  const int64_t stride = 3 * region.width;
  for (int64_t y = 0; y < region.height;) {
    JSAMPROW row = bytes + y * stride;
    y += jpeg_read_scanlines(&jpeg_, &row, 1);
  }
  if (options.strict && jpeg_.output_scanline == jpeg_.output_height) jpeg_finish_decompress(&jpeg_);
  return true;
}

// Returns the wanted part in reduced pixels, with a margin: libjpeg interpolates colour between neighbours,
// which are missing at the edge of the decoded part.
Rectangle reduced(const Rectangle& wanted, int reduction, int64_t width, int64_t height) {
  constexpr int64_t kMargin = 4;
  const int64_t left = std::max<int64_t>(wanted.left / reduction - kMargin, 0);
  const int64_t top = std::max<int64_t>(wanted.top / reduction - kMargin, 0);
  const int64_t right = (wanted.left + wanted.width + reduction - 1) / reduction + kMargin;
  const int64_t bottom = (wanted.top + wanted.height + reduction - 1) / reduction + kMargin;
  return {left, top, std::min(right, width) - left, std::min(bottom, height) - top};
}

}  // namespace

void decode_jpeg(std::span<const uint8_t> file, const PictureHeader& header, const DecodeOptions& options,
                 DecodedPicture& picture) {
  Decompressor jpeg(file);
  const bool begun = jpeg.begin(options.reduction);
  const auto agrees = [&](int64_t pixels, int64_t stored) {
    return pixels == (stored + options.reduction - 1) / options.reduction;
  };
  require(begun, "cannot be decoded: ", jpeg.errors.text.data());
  require(agrees(jpeg.width(), header.width) && agrees(jpeg.height(), header.height),
          "is damaged in its header");
  Rectangle region = reduced(options.wanted, options.reduction, jpeg.width(), jpeg.height());
  picture.allocate({0, 0, jpeg.width(), region.height});  // read() finds the columns
  const bool read = jpeg.read(options, region, picture.bytes.get());
  require(read, "cannot be decoded: ", jpeg.errors.text.data());
  require(!options.strict || !jpeg.errors.senseless, "is damaged: ", jpeg.errors.text.data());
  picture.region = region;
}

}  // namespace crescendo

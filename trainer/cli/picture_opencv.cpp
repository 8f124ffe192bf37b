// A module of its own, loaded by picture.cpp.
#include <filesystem>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>

#include "engine/check.h"
#include "trainer/cli/picture.h"

using namespace crescendo;

extern "C" void crescendo_read_picture(const std::string& path, const ImageSize& size,
                                       std::vector<uint8_t>& bytes) {
  require(std::filesystem::exists(path), "predict: ", path, " does not exist");
  cv::Mat picture;
  try {
    picture = cv::imread(path, cv::IMREAD_COLOR);
  } catch (const cv::Exception&) {  // e.g. more pixels than OpenCV is willing to decode
    picture.release();
  }
  require(!picture.empty(), "predict: ", path, " is not a picture that OpenCV can read");
  cv::Mat small, rgb;
  const cv::Size target(static_cast<int>(size.width), static_cast<int>(size.height));
  const bool shrinks = picture.cols > target.width || picture.rows > target.height;
  cv::resize(picture, small, target, 0, 0, shrinks ? cv::INTER_AREA : cv::INTER_LINEAR);
  cv::cvtColor(small, rgb, cv::COLOR_BGR2RGB);
  bytes.assign(rgb.datastart, rgb.dataend);
}

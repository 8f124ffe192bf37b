// picture_pixels: writes pictures to standard output as evaluation sees them, as floats [size,size,3], one
// after another. bench/peers/torchvision_pixels.py compares them with torchvision's.
#include <cstdio>

#include "data/dataset.h"
#include "program.h"

int main(int argc, char** argv) {
  using namespace crescendo;
  CLI::App app("Writes pictures to standard output as evaluation sees them, as normalised floats.",
               "picture_pixels");
  std::vector<std::string> files;
  DatasetOptions options;
  options.kind = "image-folder";
  options.image_size = 224;
  app.add_option("FILE", files, "Picture: JPEG or PNG")->required();
  app.add_option("--image-size", options.image_size, "Height and width of an image, in pixels")
      ->capture_default_str();
  return bench::run_program(app, argc, argv, [&] {
    std::vector<float> pixels(static_cast<size_t>(dataset_traits(options).image_size.elements()));
    for (const std::string& file : files) {
      read_picture(options, file, pixels.data());
      std::fwrite(pixels.data(), sizeof(float), pixels.size(), stdout);
    }
    return bench::kDone;
  });
}

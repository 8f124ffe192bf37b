// loader_bench: measures how many images per second the loader delivers, shuffled, augmented and normalised.
// The images are a made-up CIFAR in memory, or come from a folder or a pack of pictures.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "data/byte_images.h"
#include "data/loader.h"
#include "program.h"

namespace crescendo::bench {
namespace {

struct Options {
  int threads = 1;
  int64_t batch = 128, images = 50000, epochs = 5, image_size = 224;
  std::string data = "cifar", data_dir, augment = "standard";
  bool json = false;
};

const std::map<std::string, Augment> kAugments{{"standard", Augment::standard},
                                               {"goyal", Augment::goyal},
                                               {"inception", Augment::inception},
                                               {"none", Augment::none}};

std::shared_ptr<const Dataset> made_up_images(const Options& options) {
  ByteImageSet set;
  set.image_size = {32, 32, 3};
  uint8_t* bytes = set.allocate(options.images);
  const auto count = static_cast<size_t>(options.images * set.image_size.elements());
  for (size_t i = 0; i < count; ++i) bytes[i] = static_cast<uint8_t>(i * 2654435761U >> 13);
  set.planar = true;  // as CIFAR's files are
  for (size_t i = 0; i < set.labels.size(); ++i) set.labels[i] = static_cast<int32_t>(i % 10);
  for (int64_t i = 0; i < 10; ++i) set.class_names.push_back(fmt::to_string(i));
  set.normalisation = {{125.3F, 123.0F, 113.9F}, {63.0F, 62.1F, 66.7F}};
  set.augment = options.augment != "none";
  return std::make_shared<ByteImages>(std::move(set));
}

std::shared_ptr<const Dataset> open_images(const Options& options) {
  if (options.data == "cifar") return made_up_images(options);
  DatasetOptions data;
  data.kind = options.data;
  data.directory = options.data_dir;
  data.image_size = options.image_size;
  data.augment = kAugments.at(options.augment);
  return make_dataset(data, Split::train);
}

// Returns the seconds of each epoch. An epoch that is not timed comes first:
// it touches all memory and fills the queue.
std::vector<double> measure(const Options& options, const std::shared_ptr<const Dataset>& dataset) {
  const int64_t batches = dataset->size() / options.batch, epochs = options.epochs + 1;
  Loader loader(dataset, {.shuffle = true,
                          .seed = 1,
                          .chunk = options.batch,
                          .workers = options.threads,
                          .end = batches * options.batch * epochs});
  std::vector<double> seconds;
  int64_t position = 0;
  for (int64_t epoch = 0; epoch < epochs; ++epoch) {
    const Stopwatch watch;
    for (int64_t i = 0; i < batches; ++i, position += options.batch) loader.give_back(loader.next(position));
    if (epoch > 0) seconds.push_back(watch.seconds());
  }
  return seconds;
}

int run(const Options& options) {
  const std::shared_ptr<const Dataset> dataset = open_images(options);
  if (options.batch > dataset->size())
    throw std::invalid_argument(
        fmt::format("--batch {} is more than the {} images", options.batch, dataset->size()));
  const std::vector<double> seconds = measure(options, dataset);
  const int64_t images = dataset->size() / options.batch * options.batch;  // of an epoch, in whole batches
  const int64_t side = dataset->image_size().height;
  const auto rate = [&](double epoch) { return static_cast<double>(images) / epoch; };
  if (options.json) {
    const nlohmann::json json = {{"program", "loader_bench"},
                                 {"threads", options.threads},
                                 {"data", options.data},
                                 {"side", side},
                                 {"batch", options.batch},
                                 {"images", images},
                                 {"augment", options.augment},
                                 {"seconds", seconds},
                                 {"images_per_second", rate(median(seconds))},
                                 {"peak_resident_bytes", peak_resident_bytes()}};
    fmt::print("{}\n", json.dump());
    return kDone;
  }
  const auto [least, most] = std::minmax_element(seconds.begin(), seconds.end());
  fmt::print(
      "{} images of {}x{} per epoch, batch {}, augmentation {}, {}\n", images, side, side, options.batch,
      options.augment,
      options.threads == 0 ? "loaded when asked for" : fmt::format("loader threads: {}", options.threads));
  fmt::print("images/s   {:.0f}, the median of {} epochs from {:.0f} to {:.0f}\n", rate(median(seconds)),
             options.epochs, rate(*most), rate(*least));
  return kDone;
}

void add_options(CLI::App& app, Options& options) {
  const auto count = [&](const char* name, int64_t& value, const char* meaning) {
    app.add_option(name, value, meaning)->check(CLI::Range(1, 1 << 24))->capture_default_str();
  };
  app.add_option("--threads", options.threads,
                 "Number of background threads that prepare images; 0 prepares them in the foreground")
      ->check(CLI::Range(0, 1024))
      ->capture_default_str();
  count("--batch", options.batch, "Batch: number of images that are delivered at once");
  count("--images", options.images, "cifar: number of images in the data set, 3 KiB each");
  count("--epochs", options.epochs, "Number of epochs to time");
  app.add_option("--data", options.data, "Data: made-up CIFAR in memory, or a folder of pictures")
      ->check(CLI::IsMember({"cifar", "image-folder"}))
      ->capture_default_str();
  app.add_option("--data-dir", options.data_dir,
                 "image-folder: folder that contains train/CLASS/* or a pack of pictures");
  count("--image-size", options.image_size, "image-folder: height and width of an image, in pixels");
  app.add_option("--augment", options.augment, "Augmentation as in training; none: only crop and normalise")
      ->check(CLI::IsMember(kAugments))
      ->capture_default_str();
  app.add_flag("--json", options.json, "Print one JSON object");
}

}  // namespace
}  // namespace crescendo::bench

int main(int argc, char** argv) {
  using namespace crescendo::bench;
  CLI::App app(
      "Times the loader in images per second, shuffled, augmented and normalised, from CIFAR's bytes in "
      "memory or from pictures.",
      "loader_bench");
  Options options;
  add_options(app, options);
  app.footer(
      "Examples:\n  loader_bench\n  loader_bench --threads 2 --batch 1024 --json\n"
      "  loader_bench --data image-folder --data-dir DIR --batch 32");
  return run_program(app, argc, argv, [&] { return run(options); });
}

// loader_bench: how many CIFAR images a second the loader hands over, shuffled, augmented and normalised. The
// data set is made up in memory, as large as CIFAR's.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "data/byte_images.h"
#include "data/loader.h"
#include "program.h"

namespace crescendo::bench {
namespace {

struct Options {
  int threads = 1;
  int64_t batch = 128, images = 50000, epochs = 5;
  std::string augment = "standard";
  bool json = false;
};

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
  set.augment = options.augment == "standard";
  return std::make_shared<ByteImages>(std::move(set));
}

// Seconds of each epoch. A first one, not counted, touches all memory and fills the queue.
std::vector<double> measure(const Options& options) {
  const int64_t batches = options.images / options.batch, epochs = options.epochs + 1;
  const auto next_range = [&, batch = int64_t{0}]() mutable -> std::optional<SampleRange> {
    if (batch == batches * epochs) return {};
    return SampleRange{batch++ * options.batch, options.batch};
  };
  Loader loader(made_up_images(options), {.shuffle = true, .seed = 1, .workers = options.threads},
                next_range);
  std::vector<double> seconds;
  for (int64_t epoch = 0; epoch < epochs; ++epoch) {
    const Stopwatch watch;
    for (int64_t i = 0; i < batches; ++i) loader.next();
    if (epoch > 0) seconds.push_back(watch.seconds());
  }
  return seconds;
}

int run(const Options& options) {
  if (options.batch > options.images)
    throw std::invalid_argument(
        fmt::format("--batch {} is more than --images {}", options.batch, options.images));
  const std::vector<double> seconds = measure(options);
  const int64_t images = options.images / options.batch * options.batch;  // of an epoch, in whole batches
  const auto rate = [&](double epoch) { return static_cast<double>(images) / epoch; };
  if (options.json) {
    const nlohmann::json json = {{"program", "loader_bench"},
                                 {"threads", options.threads},
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
      "{} images of 32x32 an epoch, batch {}, augmentation {}, {}\n", images, options.batch, options.augment,
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
                 "Background threads that prepare images; 0: the one that takes them")
      ->check(CLI::Range(0, 1024))
      ->capture_default_str();
  count("--batch", options.batch, "Images handed over at once");
  count("--images", options.images, "Images of the data set, 3 KiB each");
  count("--epochs", options.epochs, "Times to go through it");
  app.add_option("--augment", options.augment, "Flip and crop, or only normalise")
      ->check(CLI::IsMember({"standard", "none"}))
      ->capture_default_str();
  app.add_flag("--json", options.json, "One JSON object");
}

}  // namespace
}  // namespace crescendo::bench

int main(int argc, char** argv) {
  using namespace crescendo::bench;
  CLI::App app(
      "Times the loader: images a second, shuffled, augmented and normalised, from CIFAR's bytes in memory.",
      "loader_bench");
  Options options;
  add_options(app, options);
  app.footer("Examples:\n  loader_bench\n  loader_bench --threads 2 --batch 1024 --json");
  return run_program(app, argc, argv, [&] { return run(options); });
}

// Whole training runs that take a moment: a small data set, options, and functions that read the results.
#pragma once

#include <unistd.h>

#include <filesystem>
#include <limits>
#include <string>

#include "base/rng.h"
#include "data/byte_images.h"
#include "trainer/options/open_device.h"
#include "trainer/resume.h"
#include "trainer/trainer.h"
#include "trainer/workers/together.h"

namespace crescendo::test {

namespace fs = std::filesystem;

// Noisy 8x8 pictures of four classes, each a different gradient of brightness.
class TinyData : public Dataset {
 public:
  explicit TinyData(int64_t size, int64_t bad_image = -1) : size_(size), bad_image_(bad_image) {}
  int64_t size() const override { return size_; }
  ImageSize image_size() const override { return {8, 8, 3}; }
  const std::vector<std::string>& class_names() const override { return names_; }
  std::string digest() const override { return std::string(32, '0'); }
  int32_t sample(int64_t index, const SampleKey& key, float* pixels) const override {
    const auto label = static_cast<int32_t>(index % 4);
    for (int64_t i = 0; i < 192; ++i) {
      const PhiloxWords noise = random_words(key.seed, static_cast<uint64_t>(index),
                                             static_cast<uint32_t>(key.epoch), static_cast<uint32_t>(i));
      const auto row = static_cast<float>(i / 24), column = static_cast<float>(i / 3 % 8);
      const float slope = label == 0 ? row : label == 1 ? column : label == 2 ? -row : -column;
      pixels[i] = slope / 4 + philox_uniform(noise.word[0]);
    }
    if (index == bad_image_) pixels[7] = std::numeric_limits<float>::quiet_NaN();
    return label;
  }

 private:
  int64_t size_, bad_image_;
  std::vector<std::string> names_ = {"down", "right", "up", "left"};
};

// Returns options of a run over 3 epochs of 48 images. The batch grows from 16 to 32 and 64, so there are
// about 3 + 2 + 1 updates.
inline TrainOptions tiny_run() {
  TrainOptions options;
  options.model = "wrn-10-1";
  options.epochs = 3;
  options.optimizer = OptimizerKind::nesterov;
  options.learning_rate = 0.05;
  options.batch = 16;
  options.ghost_batch = 8;
  options.milestones = {1, 2};
  options.factor = 2;
  options.exchange = Exchange::batch;
  options.threads = 1;
  options.loader_threads = 0;
  options.eval_every = 1;
  options.checkpoint_every = 1;
  options.quiet = true;
  return options;
}

class Folder {
 public:
  Folder()
      : path_(fs::temp_directory_path() /
              ("crescendo-trainer-" + std::to_string(counter_++) + "-" + std::to_string(::getpid()))) {}
  ~Folder() { fs::remove_all(path_); }
  std::string operator/(const std::string& name) const { return (path_ / name).string(); }

 private:
  static inline int counter_ = 0;
  fs::path path_;
};

inline TrainingData tiny_data() { return {std::make_shared<TinyData>(48), std::make_shared<TinyData>(20)}; }

// Returns the images of TinyData as bytes, which a GPU keeps in its memory.
inline std::shared_ptr<const Dataset> byte_data(int64_t size, bool augment) {
  const TinyData source(size);
  ByteImageSet set;
  set.image_size = source.image_size();
  set.class_names = source.class_names();
  set.normalisation = {{10, 20, 30}, {50, 60, 70}};
  set.augment = augment;
  uint8_t* bytes = set.allocate(size);
  std::vector<float> pixels(static_cast<size_t>(source.image_size().elements()));
  for (int64_t i = 0; i < size; ++i) {
    set.labels[static_cast<size_t>(i)] = source.sample(i, {.seed = 1, .epoch = 0}, pixels.data());
    for (const float pixel : pixels) *bytes++ = static_cast<uint8_t>(128 + 40 * pixel);
  }
  return std::make_shared<ByteImages>(std::move(set));
}

// Wraps a data set so that it does not count as one in memory: its images go through the loader.
class Loaded final : public Dataset {
 public:
  explicit Loaded(std::shared_ptr<const Dataset> set) : set_(std::move(set)) {}
  int64_t size() const override { return set_->size(); }
  ImageSize image_size() const override { return set_->image_size(); }
  const std::vector<std::string>& class_names() const override { return set_->class_names(); }
  std::string digest() const override { return set_->digest(); }
  int32_t sample(int64_t index, const SampleKey& key, float* pixels) const override {
    return set_->sample(index, key, pixels);
  }

 private:
  std::shared_ptr<const Dataset> set_;
};

inline TrainingData loaded(const TrainingData& data) {
  return {std::make_shared<Loaded>(data.train), std::make_shared<Loaded>(data.test)};
}

inline TrainingData byte_run() { return {byte_data(48, true), byte_data(20, false)}; }

inline TrainResult train(TrainOptions options, const std::string& folder, const TrainingData& data,
                         const Device* device, Communicator& workers) {
  options.run_dir = folder;
  Progress progress(workers.rank() == 0 ? Output::warnings : Output::nothing);
  options = settled_options(options, workers);
  const Device own = device != nullptr ? *device : open_device(options);
  std::optional<Trainer> trainer;
  together(workers, [&] { trainer.emplace(options, data, own, progress, Facts(), workers); });
  return trainer->run();
}

inline TrainResult train(const TrainOptions& options, const std::string& folder,
                         const TrainingData& data = tiny_data(), const Device* device = nullptr) {
  Solo solo;
  return train(options, folder, data, device, solo);
}

inline std::string digest_of(const std::string& folder) {
  return checkpoint_digest(resolve_checkpoint(folder, [](const std::string&) {}));
}

// Returns everything in a metrics file that must not depend on interruptions, which is all except times.
inline std::string story_of(const std::string& folder) {
  const Metrics metrics = read_metrics(folder + "/metrics.jsonl");
  std::string story;
  for (const TrainMetrics& line : metrics.train)
    story += join(line.samples, ' ', line.updates, ' ', line.batch, ' ', std::hexfloat, line.loss, ' ',
                  line.accuracy, ' ', line.measured_noise_scale.value_or(-1), '\n');
  for (const EvaluateMetrics& line : metrics.evaluations)
    story += join(line.samples, ' ', line.correct, ' ', std::hexfloat, line.loss, '\n');
  return story;
}

}  // namespace crescendo::test

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <stdexcept>

#include "data/loader.h"
#include "data/sampler.h"

namespace crescendo {
namespace {

// A data set whose pixels are the image's index, the seed and the epoch.
class Spelled final : public Dataset {
 public:
  explicit Spelled(int64_t size, int64_t broken = -1) : size_(size), broken_(broken) {}
  int64_t size() const override { return size_; }
  ImageSize image_size() const override { return {1, 1, 3}; }
  const std::vector<std::string>& class_names() const override { return names_; }
  std::string digest() const override { return ""; }
  int32_t sample(int64_t index, const SampleKey& key, float* pixels) const override {
    ++sampled;
    if (index == broken_) throw std::runtime_error("image 13 is unreadable");
    pixels[0] = static_cast<float>(index);
    pixels[1] = static_cast<float>(key.seed);
    pixels[2] = static_cast<float>(key.epoch);
    return static_cast<int32_t>(index % 7);
  }
  mutable std::atomic<int64_t> sampled{0};

 private:
  int64_t size_, broken_;
  std::vector<std::string> names_;
};

// Returns a function that gives consecutive ranges of these sizes, starting at `first`; endlessly many ranges
// of 40 if `sizes` is empty.
auto ranges(int64_t first, std::vector<int64_t> sizes) {
  return [at = first, sizes = std::move(sizes), next = size_t{0}]() mutable -> std::optional<SampleRange> {
    if (!sizes.empty() && next == sizes.size()) return std::nullopt;
    const int64_t count = sizes.empty() ? 40 : sizes[next];
    ++next;
    at += count;
    return SampleRange{at - count, count};
  };
}

const std::vector<int64_t> kSizes{128, 1, 0, 31, 32, 33, 500, 640, 7, 100};
constexpr int64_t kSize = 200;

}  // namespace

TEST_CASE("positions arrive in order, with the images the sampler names, for any number of workers") {
  for (const bool shuffle : {true, false})
    for (int workers = 0; workers <= 4; ++workers) {
      CAPTURE(workers);
      Loader loader(std::make_shared<Spelled>(kSize), {.shuffle = shuffle, .seed = 9, .workers = workers},
                    ranges(0, kSizes));
      Sampler sampler(kSize, shuffle, 9);
      int64_t position = 0;
      for (const int64_t count : kSizes) {
        const std::optional<LoadedSamples> loaded = loader.next();
        REQUIRE(loaded.has_value());
        CHECK(loaded->range.first == position);
        CHECK(loaded->range.count == count);
        REQUIRE(loaded->images.size() == static_cast<size_t>(3 * count));
        REQUIRE(loaded->labels.size() == static_cast<size_t>(count));
        for (size_t i = 0; i < loaded->labels.size(); ++i, ++position) {
          const EpochImage image = sampler.at(position);
          REQUIRE(loaded->images[3 * i] == static_cast<float>(image.index));
          REQUIRE(loaded->images[3 * i + 1] == 9.0F);
          REQUIRE(loaded->images[3 * i + 2] == static_cast<float>(image.epoch));
          REQUIRE(loaded->labels[i] == image.index % 7);
        }
      }
      CHECK(!loader.next().has_value());
      CHECK(!loader.next().has_value());
    }
}

TEST_CASE("memory that is given back serves later ranges, and no more is allocated") {
  for (int workers = 0; workers <= 4; ++workers) {
    CAPTURE(workers);
    std::atomic<int> allocations{0};
    std::vector<size_t> asked_for;
    const auto allocate = [&](size_t bytes) {
      ++allocations;
      asked_for.push_back(bytes);
      return plain_memory(bytes);
    };
    std::vector<int64_t> sizes(100, 40);
    for (size_t i = 0; i < sizes.size(); i += 3) sizes[i] = 7;
    sizes.resize(110, 50);
    Loader loader(std::make_shared<Spelled>(kSize),
                  {.shuffle = false, .workers = workers, .allocate = allocate}, ranges(0, sizes));
    const int at_once = workers == 0 ? 1 : 3 + 1;  // the ranges ahead, and the one in use
    int64_t position = 0;
    for (size_t range = 0; range < sizes.size(); ++range) {
      std::optional<LoadedSamples> loaded = loader.next();
      REQUIRE(loaded->labels.size() == static_cast<size_t>(sizes[range]));
      for (size_t i = 0; i < loaded->labels.size(); ++i, ++position) {
        REQUIRE(loaded->images[3 * i] == static_cast<float>(position % kSize));
        REQUIRE(loaded->labels[i] == position % kSize % 7);
      }
      std::fill(loaded->images.begin(), loaded->images.end(), -1.0F);
      std::fill(loaded->labels.begin(), loaded->labels.end(), -1);
      loader.give_back(*std::move(loaded));
      if (range == 95) CHECK(allocations <= at_once + 1);  // + 1: the first one was small
    }
    CHECK(allocations <= 2 * at_once + 1);
    CHECK(std::is_sorted(asked_for.begin(), asked_for.end()));
    CHECK(asked_for.back() == 50 * (3 + 1) * sizeof(float));
  }
}

TEST_CASE("memory that is not given back is not overwritten") {
  for (int workers = 0; workers <= 2; ++workers) {
    Loader loader(std::make_shared<Spelled>(kSize), {.shuffle = false, .workers = workers},
                  ranges(0, {9, 9, 9, 9}));
    std::vector<LoadedSamples> all;
    while (auto loaded = loader.next()) {
      all.push_back(*loaded);
      if (all.size() == 2) loader.give_back(std::move(all[0]));
    }
    REQUIRE(all.size() == 4);
    for (size_t range = 1; range < 4; ++range)
      for (size_t i = 0; i < 9; ++i) CHECK(all[range].images[3 * i] == static_cast<float>(9 * range + i));
  }
}

TEST_CASE("starting at any position continues the run that began at zero") {
  const auto load = [](int64_t first, std::vector<int64_t> sizes, int workers) {
    Loader loader(std::make_shared<Spelled>(23), {.seed = 4, .workers = workers},
                  ranges(first, std::move(sizes)));
    std::vector<float> images;
    while (const auto loaded = loader.next())
      images.insert(images.end(), loaded->images.begin(), loaded->images.end());
    return images;
  };
  const std::vector<float> whole = load(0, {70}, 0);
  for (int64_t first = 0; first < 70; ++first)
    CHECK(load(first, {70 - first}, static_cast<int>(first % 3)) ==
          std::vector<float>(whole.begin() + 3 * first, whole.end()));
}

TEST_CASE("a loader that nobody reads loads a bounded number of ranges, and stops") {
  const auto set = std::make_shared<Spelled>(kSize);
  for (int workers = 0; workers <= 4; ++workers) {
    Loader untouched(set, {.workers = workers}, ranges(0, {}));
  }
  set->sampled = 0;
  {
    Loader loader(set, {.workers = 3}, ranges(0, {}));
    for (int i = 0; i < 5; ++i) loader.next();
  }
  CHECK(set->sampled >= 5 * 40);
  CHECK(set->sampled <= (5 + 4) * 40);
}

TEST_CASE("next() rethrows a worker's exception, after the ranges before it, on every call") {
  for (int workers = 0; workers <= 4; ++workers) {
    CAPTURE(workers);
    Loader loader(std::make_shared<Spelled>(20, 13), {.shuffle = false, .workers = workers},
                  ranges(0, {10, 3, 5, 2}));
    CHECK(loader.next()->range.count == 10);
    CHECK(loader.next()->range.count == 3);
    CHECK_THROWS_WITH(loader.next(), "image 13 is unreadable");
    CHECK_THROWS_WITH(loader.next(), "image 13 is unreadable");
  }
}

TEST_CASE("next() rethrows the exception of next_range") {
  for (int workers = 0; workers <= 2; ++workers) {
    Loader loader(std::make_shared<Spelled>(20), {.workers = workers},
                  [calls = 0]() mutable -> std::optional<SampleRange> {
                    if (calls++ == 2) throw std::runtime_error("no third range");
                    return SampleRange{0, 4};
                  });
    CHECK(loader.next()->range.count == 4);
    CHECK(loader.next()->range.count == 4);
    CHECK_THROWS_WITH(loader.next(), "no third range");
  }
}

TEST_CASE("an empty set and a negative number of workers are rejected") {
  CHECK_THROWS_AS(Loader(std::make_shared<Spelled>(0), {}, ranges(0, {})), std::invalid_argument);
  CHECK_THROWS_AS(Loader(std::make_shared<Spelled>(1), {.workers = -1}, ranges(0, {})),
                  std::invalid_argument);
}

}  // namespace crescendo

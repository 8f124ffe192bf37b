#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <set>
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

constexpr int64_t kSize = 200;
constexpr int64_t kPositions = 3 * kSize - 13;  // in almost three epochs

// Checks that these are the images and labels that the sampler names, from `first` on.
void check_samples(const LoadedSamples& loaded, int64_t first, int64_t count, Sampler& sampler) {
  REQUIRE(loaded.range.first == first);
  REQUIRE(loaded.range.count == count);
  REQUIRE(loaded.images.size() == static_cast<size_t>(3 * count));
  REQUIRE(loaded.labels.size() == static_cast<size_t>(count));
  for (size_t i = 0; i < loaded.labels.size(); ++i) {
    const EpochImage image = sampler.at(first + static_cast<int64_t>(i));
    REQUIRE(loaded.images[3 * i] == static_cast<float>(image.index));
    REQUIRE(loaded.images[3 * i + 1] == 9.0F);
    REQUIRE(loaded.images[3 * i + 2] == static_cast<float>(image.epoch));
    REQUIRE(loaded.labels[i] == image.index % 7);
  }
}

}  // namespace

TEST_CASE(
    "positions arrive in order, with the images the sampler names, for any chunk and number of workers") {
  for (const bool shuffle : {true, false})
    for (const int64_t chunk : {1, 7, 31, 32, 33, 200, 500})
      for (int workers = 0; workers <= 4; ++workers) {
        CAPTURE(chunk);
        CAPTURE(workers);
        Loader loader(std::make_shared<Spelled>(kSize), {.shuffle = shuffle,
                                                         .seed = 9,
                                                         .chunk = chunk,
                                                         .ahead = 1 + workers,
                                                         .workers = workers,
                                                         .end = kPositions});
        Sampler sampler(kSize, shuffle, 9);
        for (int64_t first = 0; first < kPositions; first += chunk) {
          LoadedSamples loaded = loader.next(first);
          check_samples(loaded, first, std::min(chunk, kPositions - first), sampler);
          if (first % 2 == 0) loader.give_back(std::move(loaded));
        }
        CHECK_THROWS_AS(loader.next(kPositions), std::invalid_argument);
      }
}

TEST_CASE("positions out of order arrive too: skipped, misaligned, backwards and twice") {
  for (int workers = 0; workers <= 4; ++workers) {
    CAPTURE(workers);
    Loader loader(std::make_shared<Spelled>(kSize), {.seed = 9, .chunk = 40, .workers = workers});
    Sampler sampler(kSize, true, 9);
    const std::vector<int64_t> kOrder{80, 120, 200, 240, 245, 285, 40, 40, 80, 1000, 1040, 1120, 0, 40};
    for (int round = 0; round < 20; ++round)
      for (const int64_t first : kOrder) {
        CAPTURE(first);
        LoadedSamples loaded = loader.next(first);
        check_samples(loaded, first, 40, sampler);
        std::fill(loaded.images.begin(), loaded.images.end(), -1.0F);
        loader.give_back(std::move(loaded));
      }
  }
}

TEST_CASE("memory that is given back serves later chunks, and no more is allocated") {
  for (int workers = 0; workers <= 4; ++workers) {
    CAPTURE(workers);
    std::atomic<int> allocations{0};
    const auto allocate = [&](size_t bytes) {
      ++allocations;
      CHECK(bytes == 40 * (3 + 1) * sizeof(float));
      return plain_memory(bytes);
    };
    Loader loader(
        std::make_shared<Spelled>(kSize),
        {.seed = 9, .chunk = 40, .ahead = 3, .workers = workers, .end = 4007, .allocate = allocate});
    Sampler sampler(kSize, true, 9);
    for (int64_t first = 0; first < 4007; first += first == 2000 ? 90 : 40) {  // jumps once
      LoadedSamples loaded = loader.next(first);
      check_samples(loaded, first, std::min<int64_t>(40, 4007 - first), sampler);
      std::fill(loaded.images.begin(), loaded.images.end(), -1.0F);
      std::fill(loaded.labels.begin(), loaded.labels.end(), -1);
      loader.give_back(std::move(loaded));
    }
    CHECK(allocations <= (workers == 0 ? 1 : 3 + 1));  // the chunks ahead, and the one in use
  }
}

TEST_CASE("a loader that knows what to expect loads nothing else") {
  class Noted final : public Dataset {
   public:
    int64_t size() const override { return 1000; }
    ImageSize image_size() const override { return {1, 1, 1}; }
    const std::vector<std::string>& class_names() const override { return names_; }
    std::string digest() const override { return ""; }
    int32_t sample(int64_t index, const SampleKey&, float* pixels) const override {
      *pixels = static_cast<float>(index);
      ++loaded[static_cast<size_t>(index)];
      return 0;
    }
    mutable std::array<std::atomic<int>, 1000> loaded{};

   private:
    std::vector<std::string> names_;
  };
  for (const int workers : {0, 1, 2}) {
    const auto noted = std::make_shared<Noted>();
    Loader loader(noted, {.shuffle = false, .chunk = 10, .ahead = 3, .workers = workers, .end = 1000});
    const auto take = [&](const SampleRange& range) {
      for (int64_t first = range.first; first < range.first + range.count; first += 10) {
        const LoadedSamples samples = loader.next(first);
        CHECK(samples.images[3] == static_cast<float>(first + 3));
      }
    };
    std::set<int64_t> wanted;
    const auto want = [&](const SampleRange& range) {
      for (int64_t i = range.first; i < range.first + range.count; ++i) wanted.insert(i);
    };
    for (int64_t update = 0; update < 4; ++update) {  // of 60 samples, the third of three shares
      const SampleRange share{60 * update + 40, 20};
      loader.expect(share, 60);
      take(share);
      want(share);
    }
    for (int64_t ahead = 4; ahead < 6; ++ahead) want({60 * ahead + 40, 20});
    for (int64_t update = 0; update < 3; ++update) {  // then of 120 samples
      const SampleRange share{240 + 120 * update + 80, 40};
      loader.expect(share, 120);
      take(share);
      want(share);
    }
    want({240 + 3 * 120 + 80, 40});
    for (int64_t i = 0; i < 1000; ++i) {
      CAPTURE(i);
      CHECK((noted->loaded[static_cast<size_t>(i)] == 0 || wanted.contains(i)));
    }
  }
}

TEST_CASE("memory that is not given back is not overwritten") {
  for (int workers = 0; workers <= 2; ++workers) {
    Loader loader(std::make_shared<Spelled>(kSize), {.shuffle = false, .chunk = 9, .workers = workers});
    std::vector<LoadedSamples> all;
    for (int64_t chunk = 0; chunk < 4; ++chunk) {
      all.push_back(loader.next(9 * chunk));
      if (chunk == 1) loader.give_back(std::move(all[0]));
    }
    for (size_t chunk = 1; chunk < 4; ++chunk)
      for (size_t i = 0; i < 9; ++i) CHECK(all[chunk].images[3 * i] == static_cast<float>(9 * chunk + i));
  }
}

TEST_CASE("starting at any position continues the run that began at zero") {
  const auto load = [](int64_t first, int64_t chunk, int workers) {
    Loader loader(std::make_shared<Spelled>(23), {.seed = 4, .chunk = chunk, .workers = workers, .end = 70});
    std::vector<float> images;
    for (int64_t position = first; position < 70; position += chunk) {
      const LoadedSamples loaded = loader.next(position);
      images.insert(images.end(), loaded.images.begin(), loaded.images.end());
    }
    return images;
  };
  const std::vector<float> whole = load(0, 70, 0);
  for (int64_t first = 0; first < 70; ++first)
    CHECK(load(first, 1 + first % 9, static_cast<int>(first % 3)) ==
          std::vector<float>(whole.begin() + 3 * first, whole.end()));
}

TEST_CASE("a loader loads nothing before it is asked, then a bounded number of chunks, and stops") {
  const auto set = std::make_shared<Spelled>(kSize);
  for (int workers = 0; workers <= 4; ++workers) {
    const Loader untouched(set, {.workers = workers});
  }
  CHECK(set->sampled == 0);
  {
    Loader loader(set, {.chunk = 40, .ahead = 3, .workers = 3});
    for (int64_t chunk = 0; chunk < 5; ++chunk) loader.next(40 * chunk);
  }
  CHECK(set->sampled >= 5 * 40);
  CHECK(set->sampled <= (5 + 3) * 40);
}

TEST_CASE("no sample beyond the end is loaded") {
  const auto set = std::make_shared<Spelled>(kSize);
  for (int workers = 0; workers <= 4; ++workers) {
    set->sampled = 0;
    {
      Loader loader(set, {.chunk = 8, .workers = workers, .end = 20});
      for (const int64_t first : {0, 8, 16}) loader.next(first);
    }
    CHECK(set->sampled == 20);
  }
}

TEST_CASE("next() rethrows a worker's exception, after the chunks before it, until another chunk is wanted") {
  for (int workers = 0; workers <= 4; ++workers) {
    CAPTURE(workers);
    Loader loader(std::make_shared<Spelled>(20, 13), {.shuffle = false, .chunk = 5, .workers = workers});
    CHECK(loader.next(0).range.count == 5);
    CHECK(loader.next(5).range.count == 5);
    CHECK_THROWS_WITH(loader.next(10), "image 13 is unreadable");
    CHECK_THROWS_WITH(loader.next(10), "image 13 is unreadable");
    CHECK(loader.next(15).range.count == 5);
  }
}

TEST_CASE("next() rethrows what the allocation throws") {
  for (int workers = 0; workers <= 2; ++workers) {
    Loader loader(std::make_shared<Spelled>(20),
                  {.chunk = 4, .workers = workers, .allocate = [](size_t) -> std::shared_ptr<void> {
                     throw std::runtime_error("no memory for samples");
                   }});
    CHECK_THROWS_WITH(loader.next(0), "no memory for samples");
    CHECK_THROWS_WITH(loader.next(0), "no memory for samples");
  }
}

TEST_CASE("an empty set and counts that make no sense are rejected") {
  CHECK_THROWS_AS(Loader(std::make_shared<Spelled>(0), {}), std::invalid_argument);
  const auto set = std::make_shared<Spelled>(1);
  CHECK_THROWS_AS(Loader(set, {.workers = -1}), std::invalid_argument);
  CHECK_THROWS_AS(Loader(set, {.chunk = 0}), std::invalid_argument);
  CHECK_THROWS_AS(Loader(set, {.ahead = 0}), std::invalid_argument);
}

}  // namespace crescendo

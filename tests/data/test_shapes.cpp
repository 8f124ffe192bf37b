#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <limits>

#include "data/byte_images.h"
#include "data/shapes.h"

namespace crescendo {
namespace {

constexpr int64_t kElements = 32 * 32 * 3;

std::vector<uint8_t> drawn(uint64_t seed, Split split, int64_t index) {
  std::vector<uint8_t> pixels(kElements);
  draw_shape(seed, split, index, pixels.data());
  return pixels;
}

// Returns the FNV-1a hash of the pictures, one after another.
uint64_t digest_of(Split split, int64_t pictures) {
  uint64_t hash = 0xcbf29ce484222325;
  for (int64_t i = 0; i < pictures; ++i)
    for (const uint8_t byte : drawn(1, split, i)) hash = (hash ^ byte) * 0x100000001b3;
  return hash;
}

}  // namespace

TEST_CASE("the same pictures on every machine") {
  CHECK(digest_of(Split::train, 200) == 12144337295064970563U);
  CHECK(digest_of(Split::test, 200) == 7305585216882324351U);
}

TEST_CASE("a picture depends on seed, split and index") {
  const std::vector<uint8_t> picture = drawn(1, Split::train, 5);
  CHECK(picture == drawn(1, Split::train, 5));
  CHECK(picture != drawn(2, Split::train, 5));
  CHECK(picture != drawn(1, Split::test, 5));
  CHECK(picture != drawn(1, Split::train, 15));
}

TEST_CASE("make_dataset draws what was asked for, in balance") {
  for (const Split split : {Split::train, Split::test}) {
    const auto set = make_dataset({.kind = "shapes", .directory = "", .train_images = 300}, split);
    CHECK(set->size() == (split == Split::train ? 300 : kShapesTestImages));
    CHECK(set->image_size().elements() == kElements);
    CHECK(set->class_names().size() == 10);
    CHECK(set->digest().size() == 32);
    std::array<int64_t, 10> counts{};
    std::vector<float> pixels(kElements);
    for (int64_t i = 0; i < set->size(); ++i)
      ++counts.at(static_cast<size_t>(set->sample(i, {}, pixels.data())));
    for (const int64_t count : counts) CHECK(count == set->size() / 10);
    CHECK(dynamic_cast<const ByteImages&>(*set).image(7).bytes[100] == drawn(1, split, 7)[100]);
  }
}

TEST_CASE("bad options are rejected with one line") {
  CHECK_THROWS_WITH(make_dataset({.kind = "shapes", .directory = "", .train_images = 20001}, Split::train),
                    "shapes: 20001 training images asked for, there are 20000");
  CHECK_THROWS_AS(make_dataset({.kind = "shapes", .directory = "", .train_images = -1}, Split::train),
                  std::invalid_argument);
  CHECK_THROWS_WITH(make_dataset({.kind = "mnist", .directory = ""}, Split::train),
                    "data: unknown kind \"mnist\", expected cifar10, cifar100, shapes or image-folder");
}

TEST_CASE("pixels are normalised to about mean 0 and variance 1") {
  const auto set = make_dataset({.kind = "shapes", .directory = "", .augment = Augment::none}, Split::test);
  std::array<double, 3> sum{}, squares{};
  std::vector<float> pixels(kElements);
  for (int64_t i = 0; i < set->size(); ++i) {
    set->sample(i, {}, pixels.data());
    for (size_t p = 0; p < pixels.size(); ++p) {
      sum.at(p % 3) += pixels[p];
      squares.at(p % 3) += pixels[p] * pixels[p];
    }
  }
  const double count = static_cast<double>(set->size()) * kElements / 3;
  for (size_t c = 0; c < 3; ++c) {
    CHECK(std::abs(sum.at(c) / count) < 0.05);
    CHECK(std::abs(squares.at(c) / count - 1) < 0.05);
  }
}

// Classification by the nearest class mean stands for every method that looks at pixels one by one.
TEST_CASE("the mean picture of a class says little about it") {
  constexpr int64_t kTrain = 4000, kTest = 1000;
  std::array<std::vector<double>, 10> means;
  for (auto& mean : means) mean.assign(kElements, 0);
  for (int64_t i = 0; i < kTrain; ++i) {
    const std::vector<uint8_t> picture = drawn(1, Split::train, i);
    for (size_t p = 0; p < kElements; ++p)
      means.at(static_cast<size_t>(i % 10))[p] += picture[p] / (kTrain / 10.0);
  }
  int64_t correct = 0;
  for (int64_t i = 0; i < kTest; ++i) {
    const std::vector<uint8_t> picture = drawn(1, Split::test, i);
    int64_t nearest = -1;
    double least = std::numeric_limits<double>::infinity();
    for (int64_t label = 0; label < 10; ++label) {
      double distance = 0;
      for (size_t p = 0; p < kElements; ++p) {
        const double difference = picture[p] - means.at(static_cast<size_t>(label))[p];
        distance += difference * difference;
      }
      if (distance < least) nearest = label;
      least = std::min(least, distance);
    }
    correct += nearest == i % 10 ? 1 : 0;
  }
  CHECK(static_cast<double>(correct) / kTest < 0.3);
}

}  // namespace crescendo

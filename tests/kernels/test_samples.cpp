// Kernels that begin a micro-batch: gathering or converting its samples.
#include <doctest/doctest.h>

#include "kernels/augment.h"
#include "support/buffer.h"
#include "support/compare.h"
#include "support/counters.h"
#include "support/tested_backend.h"

namespace crescendo::test {
namespace {

// A data set of bytes that differ from place to place, with labels and two orders.
struct Set {
  int64_t n, h, w;
  std::vector<uint8_t> bytes;
  std::vector<int32_t> labels, orders;
  std::vector<float> table;

  Set(int64_t images, int64_t height, int64_t width) : n(images), h(height), w(width) {
    for (int64_t i = 0; i < n * 3 * h * w; ++i) bytes.push_back(static_cast<uint8_t>(i * 2654435761U >> 13));
    for (int64_t i = 0; i < n; ++i) labels.push_back(static_cast<int32_t>(100 + i));
    for (int64_t i = 0; i < n; ++i) orders.push_back(static_cast<int32_t>((i * 3 + 1) % n));
    for (int64_t i = 0; i < n; ++i) orders.push_back(static_cast<int32_t>(n - 1 - i));
    for (int i = 0; i < 768; ++i) table.push_back(0.125F * static_cast<float>(i) - 7);  // exact in bf16 too
  }
  uint8_t byte(int64_t image, int64_t c, int64_t y, int64_t x) const {
    return bytes[static_cast<size_t>(((image * 3 + c) * h + y) * w + x)];
  }
};

// Returns the pixels of a crop of the mirrored, padded image, by definition.
std::vector<real> expected_image(const Set& set, int64_t image, const Augmentation& a) {
  std::vector<real> pixels;
  const auto reflect = [](int64_t i, int64_t size) { return i < 0 ? -i : i >= size ? 2 * size - 2 - i : i; };
  for (int64_t y = 0; y < set.h; ++y)
    for (int64_t x = 0; x < set.w; ++x)
      for (int64_t c = 0; c < 3; ++c) {
        const int64_t row = reflect(y + a.top - 4, set.h), column = reflect(x + a.left - 4, set.w);
        const uint8_t byte = set.byte(image, c, row, a.flip ? set.w - 1 - column : column);
        pixels.push_back(set.table[static_cast<size_t>(256 * c + byte)]);
      }
  return pixels;
}

}  // namespace

TEST_CASE("gather_images writes the samples from a position on, in the order of their epoch") {
  const auto backend = tested_backend(2);
  for (const int64_t width : {8, 7})
    for (const bool augment : {false, true}) {
      const int64_t height = width == 8 ? 8 : 5;
      CAPTURE(width);
      CAPTURE(augment);
      const Set set(7, height, width);
      constexpr int64_t kSamples = 6, kPosition = 3 * 7 + 4;  // three of an odd epoch, three of the next
      const ImageGather g{
          .n = kSamples, .h = height, .w = width, .images = set.n, .key = 99, .augment = augment};
      const Buffer<uint8_t> bytes(*backend, set.bytes);
      const Buffer<int32_t> labels(*backend, set.labels), orders(*backend, set.orders);
      const Buffer<float> table(*backend, set.table);
      const Counters<StepCounters> counters(*backend, {.position = kPosition});
      Buffer<real> images(*backend, poison(kSamples * height * width * 3));
      Buffer<int32_t> gathered(*backend, std::vector<int32_t>(kSamples, -1));
      run(*backend, GatherImages{.geometry = g,
                                 .counters = counters,
                                 .set = {.bytes = bytes, .labels = labels, .orders = orders, .table = table},
                                 .images = images,
                                 .labels = gathered});
      std::vector<real> expected;
      for (int64_t i = 0; i < kSamples; ++i) {
        const int64_t epoch = (kPosition + i) / set.n, place = (kPosition + i) % set.n;
        const int64_t image = set.orders[static_cast<size_t>(epoch % 2 * set.n + place)];
        CHECK(gathered.values()[static_cast<size_t>(i)] == 100 + image);
        const Augmentation a = augment ? draw_augmentation(g.key, epoch, image) : Augmentation();
        const std::vector<real> pixels = expected_image(set, image, a);
        expected.insert(expected.end(), pixels.begin(), pixels.end());
      }
      check_same_bits(images.values(), expected);
    }
}

TEST_CASE("convert_samples converts images and labels from the form in which a loader leaves them") {
  const auto backend = tested_backend(2);
  for (const int64_t n : {0, 1, 3, 5000})
    for (const int64_t elements : {1, 3, 192}) {
      if (n * elements > 20000) continue;
      CAPTURE(n);
      CAPTURE(elements);
      std::vector<float> pixels;
      for (const real value : noise(n * elements, 1)) pixels.push_back(static_cast<float>(value));
      std::vector<int32_t> classes;
      for (int64_t i = 0; i < n; ++i) classes.push_back(static_cast<int32_t>((1 << 24) + 1 + i));
      const Buffer<float> images(*backend, pixels);
      const Buffer<int32_t> labels(*backend, classes);
      Buffer<real> to_images(*backend, poison(n * elements));
      Buffer<int32_t> to_labels(*backend, std::vector<int32_t>(classes.size(), -1));
      run(*backend, ConvertSamples{.n = n,
                                   .elements = elements,
                                   .images = images,
                                   .labels = labels,
                                   .to_images = to_images,
                                   .to_labels = to_labels});
      check_same_bits(to_images.values(), {pixels.begin(), pixels.end()});
      CHECK(to_labels.values() == classes);
    }
}

TEST_CASE("optimizers write nothing once the counters have stopped") {
  const auto backend = tested_backend(2);
  constexpr int64_t kCount = 100;
  const std::vector<real> before = noise(kCount, 1);
  const Buffer<real> gradients(*backend, noise(kCount, 2));
  for (const int64_t stopped_at : {-1, 0}) {
    const Counters<StepCounters> counters(*backend, {.stopped_at = stopped_at});
    const OptimizerStep step{.n = kCount,
                             .decayed = kCount,
                             .learning_rate = 0.1,
                             .weight_decay = 0,
                             .gradient_scale = 1,
                             .counters = counters};
    Buffer<real> sgd(*backend, before), momentum(*backend, before), velocity(*backend, before),
        adam(*backend, before), first(*backend, before), second(*backend, std::vector<real>(kCount, 1));
    run(*backend, Sgd{.step = step, .gradients = gradients, .values = sgd, .copy = nullptr});
    run(*backend, Momentum{.step = {step, 0.9, true},
                           .gradients = gradients,
                           .values = momentum,
                           .velocity = velocity,
                           .copy = nullptr});
    run(*backend, Adam{.step = {step, 0.9, 0.999, 1e-3, 1},
                       .gradients = gradients,
                       .values = adam,
                       .first_moment = first,
                       .second_moment = second,
                       .copy = nullptr});
    for (const Buffer<real>* buffer : {&sgd, &momentum, &velocity, &adam, &first})
      CHECK((buffer->values() == before) == (stopped_at == 0));
  }
}

}  // namespace crescendo::test

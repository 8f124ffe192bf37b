// Maps the positions of a run to images. A position counts samples from the start of the run. The map is a
// pure function of (size, shuffle, seed, position), so resuming or changing the batch needs no state.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

namespace crescendo {

// An image of the data set, as it is seen in one epoch.
struct EpochImage {
  int64_t epoch = 0, index = 0;
  bool operator==(const EpochImage&) const = default;
};

// Computes the order of an epoch when it is first needed, and keeps the orders of two epochs, so that
// positions may go back and forth across the edge between them. Not thread-safe.
class Sampler {
 public:
  // `size` is the number of images, above 0. Without `shuffle`, every epoch is in file order.
  Sampler(int64_t size, bool shuffle, uint64_t seed) : size_(size), shuffle_(shuffle), seed_(seed) {}

  // Returns epoch p / size and, of that epoch's order, image p % size, for a position p >= 0.
  EpochImage at(int64_t position);

 private:
  struct Order {
    int64_t epoch = -1;
    std::vector<int64_t> permutation;
  };
  const std::vector<int64_t>& permutation(int64_t epoch);

  int64_t size_;
  bool shuffle_;
  uint64_t seed_;
  std::array<Order, 2> orders_;  // the last even and the last odd epoch that was needed
};

}  // namespace crescendo

// Which image stands at which position of a run: a pure function of (size, shuffle, seed, position), so that
// resuming anywhere, and any change of batch, needs no state.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

namespace crescendo {

struct Place {
  int64_t epoch = 0, index = 0;
  bool operator==(const Place&) const = default;
};

// Keeps the orders of the newest even and odd epoch, so that ranges may straddle an edge back and forth; for
// one thread at a time.
class Sampler {
 public:
  // size > 0. Without shuffle, every epoch is in file order.
  Sampler(int64_t size, bool shuffle, uint64_t seed) : size_(size), shuffle_(shuffle), seed_(seed) {}

  // Position p >= 0 is image order(epoch)[p % size] of epoch p / size.
  Place at(int64_t position);

 private:
  struct Order {
    int64_t epoch = -1;
    std::vector<int64_t> permutation;
  };
  const std::vector<int64_t>& permutation(int64_t epoch);

  int64_t size_;
  bool shuffle_;
  uint64_t seed_;
  std::array<Order, 2> orders_;  // of even and of odd epochs
};

}  // namespace crescendo

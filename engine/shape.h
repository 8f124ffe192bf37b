// The shape of a tensor, outermost dimension first: images are {n, h, w, c}, features {n, c}, losses {n}.
#pragma once

#include <array>
#include <initializer_list>
#include <string>
#include <vector>

#include "base/check.h"

namespace crescendo {

class Shape {
 public:
  static constexpr int kMaxRank = 4;

  Shape() = default;
  // Throws std::invalid_argument for more than four sizes, a negative size,
  // or a product that exceeds 64 bits.
  Shape(std::initializer_list<int64_t> sizes) {
    require(sizes.size() <= kMaxRank, "shape: at most ", kMaxRank, " dimensions, got ", sizes.size());
    for (int64_t size : sizes) {
      elements_ = checked_product(elements_, size, "shape");
      sizes_[static_cast<size_t>(rank_++)] = size;
    }
  }

  int rank() const { return rank_; }
  int64_t operator[](int axis) const { return sizes_[static_cast<size_t>(axis)]; }
  std::vector<int64_t> sizes() const { return {sizes_.begin(), sizes_.begin() + rank_}; }
  int64_t elements() const { return elements_; }  // 1 for rank 0
  std::string text() const;                       // "[128, 32, 32, 16]"
  bool operator==(const Shape&) const = default;

 private:
  std::array<int64_t, kMaxRank> sizes_{};
  int rank_ = 0;
  int64_t elements_ = 1;
};

std::ostream& operator<<(std::ostream&, const Shape&);

}  // namespace crescendo

// Shapes, and the checked products behind every size.
#include "engine/shape.h"

#include <doctest/doctest.h>

namespace crescendo::test {

TEST_CASE("shape: sizes, elements and text") {
  const Shape images{128, 32, 31, 3};
  CHECK(images.rank() == 4);
  CHECK(images[2] == 31);
  CHECK(images.elements() == 128 * 32 * 31 * 3);
  CHECK(images.text() == "[128, 32, 31, 3]");
  CHECK(Shape{7}.text() == "[7]");
  CHECK(Shape{}.text() == "[]");
  CHECK(Shape{}.elements() == 1);
  CHECK(Shape{4, 0, 3}.elements() == 0);
}

TEST_CASE("shape: equal only with equal rank and sizes") {
  CHECK(Shape{2, 3} == Shape{2, 3});
  CHECK(Shape{2, 3} != Shape{3, 2});
  CHECK(Shape{2, 3} != Shape{2, 3, 1});
  CHECK(Shape{2} != Shape{2, 0});
}

TEST_CASE("shape: rejects what is no size") {
  CHECK_THROWS_WITH_AS((Shape{1, 2, 3, 4, 5}), "shape: at most 4 dimensions, got 5", std::invalid_argument);
  CHECK_THROWS_AS((Shape{3, -1}), std::invalid_argument);
  const int64_t large = int64_t{1} << 32;
  CHECK_THROWS_AS((Shape{large, large}), std::invalid_argument);
  CHECK((Shape{large, large / 4}.elements() == large * (large / 4)));
}

TEST_CASE("checked_product: fits 64 bits or says what did not") {
  CHECK(checked_product(int64_t{1} << 31, int64_t{1} << 31, "x") == int64_t{1} << 62);
  CHECK_THROWS_WITH_AS(checked_product(int64_t{1} << 32, int64_t{1} << 31, "batch"),
                       "batch: 4294967296 x 2147483648 is not a size that fits 64 bits",
                       std::invalid_argument);
  CHECK_THROWS_AS(checked_product(-1, 2, "x"), std::invalid_argument);
}

}  // namespace crescendo::test

// Max, average and global average pooling: gradients of x.
#include <numeric>

#include "cases/images.h"
#include "gradients/check_gradients.h"

namespace crescendo::test {
namespace {

Pool2dOptions options_of(const Pool2dGeometry& g) {
  return {.window_h = g.r,
          .window_w = g.s,
          .stride_h = g.stride_h,
          .stride_w = g.stride_w,
          .padding = {.top = g.pad_top,
                      .bottom = padding_after(g.p, g.stride_h, g.r, g.pad_top, g.h),
                      .left = g.pad_left,
                      .right = padding_after(g.q, g.stride_w, g.s, g.pad_left, g.w)},
          .count_padding = g.count_padding};
}

// Every value once, far apart: no maximum changes hands within the step of a central difference.
Values distinct_values(int64_t count) {
  Values values(static_cast<size_t>(count));
  std::iota(values.begin(), values.end(), -0.5 * static_cast<double>(count));
  const Values order = uniform_values(5, count);
  std::vector<size_t> places(values.size());
  std::iota(places.begin(), places.end(), size_t{0});
  std::sort(places.begin(), places.end(), [&](size_t a, size_t b) { return order[a] < order[b]; });
  Values shuffled(values.size());
  for (size_t i = 0; i < places.size(); ++i) shuffled[places[i]] = values[i] / static_cast<double>(count);
  return shuffled;
}

}  // namespace

TEST_CASE("max_pool2d: gradients equal central differences") {
  const Device device = Device::cpu(2);
  for (const Pool2dCase& test : pool2d_cases()) {
    CAPTURE(std::string(test.name));
    const Pool2dGeometry& g = test.geometry;
    const Shape shape{g.n, g.h, g.w, g.c};
    const Tensor x = make_activations(device, shape, distinct_values(shape.elements()));
    GradientCheck({x}, [&](Tape& tape) { return max_pool2d(tape, x, options_of(g)); }).run();
  }
}

TEST_CASE("average_pool2d: gradients equal central differences") {
  const Device device = Device::cpu(2);
  for (const Pool2dCase& test : pool2d_cases()) {
    CAPTURE(std::string(test.name));
    const Pool2dGeometry& g = test.geometry;
    const Tensor x = random_activations(device, {g.n, g.h, g.w, g.c}, 1);
    GradientCheck({x}, [&](Tape& tape) { return average_pool2d(tape, x, options_of(g)); })
        .reduction_length(g.r * g.s)
        .run();
  }
}

TEST_CASE("global_average_pool: gradients equal central differences") {
  const Device device = Device::cpu(2);
  for (const Shape& shape : {Shape{2, 3, 4, 5}, Shape{3, 1, 1, 2}, Shape{1, 8, 8, 33}}) {
    CAPTURE(shape);
    const Tensor x = random_activations(device, shape, 1);
    GradientCheck({x}, [&](Tape& tape) { return global_average_pool(tape, x); }).reduction_length(64).run();
  }
}

}  // namespace crescendo::test

// Max, average and global average pooling: gradients of x.
#include <numeric>

#include "gradients/check_gradients.h"

namespace crescendo::test {
namespace {

struct Case {
  std::string name;
  Shape x;
  Pool2dOptions options;
};

const Case kCases[] = {
    {"2x2", {2, 4, 6, 3}, {}},
    {"remainder", {1, 5, 7, 5}, {}},
    {"overlapping windows", {2, 5, 5, 3}, {.window_h = 3, .window_w = 3, .stride_h = 1, .stride_w = 1}},
    {"overlapping, padded",
     {1, 7, 6, 2},
     {.window_h = 3, .window_w = 3, .stride_h = 2, .stride_w = 2, .padding = Padding::all(1)}},
    {"asymmetric padding",
     {1, 4, 5, 3},
     {.window_h = 3,
      .window_w = 2,
      .stride_h = 1,
      .stride_w = 2,
      .padding = {.top = 2, .bottom = 1, .left = 1}}},
    {"gaps between windows", {1, 7, 8, 2}, {.window_h = 1, .window_w = 2, .stride_h = 3, .stride_w = 3}},
    {"one pixel", {3, 1, 1, 4}, {.window_h = 1, .window_w = 1, .stride_h = 1, .stride_w = 1}},
};

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
  for (const Case& c : kCases) {
    CAPTURE(c.name);
    const Tensor x = make_activations(device, c.x, distinct_values(c.x.elements()));
    GradientCheck({x}, [&](Tape& tape) { return max_pool2d(tape, x, c.options); }).run();
  }
}

TEST_CASE("average_pool2d: gradients equal central differences") {
  const Device device = Device::cpu(2);
  for (const Case& c : kCases)
    for (const bool count_padding : {false, true}) {
      CAPTURE(c.name);
      CAPTURE(count_padding);
      const Tensor x = random_activations(device, c.x, 1);
      Pool2dOptions options = c.options;
      options.count_padding = count_padding;
      GradientCheck({x}, [&](Tape& tape) { return average_pool2d(tape, x, options); })
          .reduction_length(9)
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

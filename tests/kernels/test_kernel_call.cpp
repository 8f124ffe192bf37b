// Kernel calls as values: names, equality, and a decorator that passes them on.
#include "kernels/backend_decorator.h"
#include "support/compare.h"
#include "support/tested_backend.h"

using namespace crescendo;
using namespace crescendo::test;

namespace {

constexpr Conv2dGeometry kGeometry{.n = 1,
                                   .h = 4,
                                   .w = 5,
                                   .c = 3,
                                   .p = 4,
                                   .q = 5,
                                   .k = 2,
                                   .r = 3,
                                   .s = 3,
                                   .stride_h = 1,
                                   .stride_w = 1,
                                   .pad_top = 1,
                                   .pad_left = 1,
                                   .ghost = 1};

}  // namespace

TEST_CASE("a kernel call has the name of its kernel") {
  CHECK(name_of(Conv2dForward{}) == "conv2d_forward");
  CHECK(name_of(Adam{}) == "adam");
}

TEST_CASE("kernel calls are equal if kernel, sizes and operands are") {
  real values[2] = {};
  const auto* const operand = reinterpret_cast<const activation*>(values);
  const Conv2dForward call{.geometry = kGeometry, .x = operand, .weight = {operand}, .y = nullptr};
  const auto changed = [&](const auto& change) {
    Conv2dForward other = call;
    change(other);
    return KernelCall(other) != KernelCall(call);
  };
  CHECK_FALSE(changed([](Conv2dForward&) {}));
  CHECK(changed([](Conv2dForward& other) { other.geometry.pad_left = 0; }));
  CHECK(changed([](Conv2dForward& other) { other.x = nullptr; }));
  CHECK(changed([&](Conv2dForward& other) { other.weight.packed = values; }));
  CHECK(changed([&](Conv2dForward& other) { other.epilogue.bias = values; }));
  CHECK(changed([&](Conv2dForward& other) { other.epilogue.norm = NormOperands{}; }));
  const Sgd update{.step = {}, .gradients = values, .values = values, .copy = nullptr};
  Sgd later = update;
  later.step.learning_rate = 0.5;
  CHECK(KernelCall(later) != KernelCall(update));
  CHECK(KernelCall(ReluForward{}) != KernelCall(ReluBackward{}));
  SiblingConv2dBackwardData siblings{.siblings = {{}, {}}, .dx = nullptr, .write = Write::add};
  const KernelCall before = siblings;
  siblings.siblings[1].weight = operand;
  CHECK(KernelCall(siblings) != before);
}

TEST_CASE("a decorator passes kernel calls on, with their results") {
  BackendDecorator decorated(tested_backend(2));
  const auto bare = tested_backend(2);
  const auto results = [](Backend& backend) {
    const Buffer<real> x(backend, noise(4 * 5 * 3, 1)), weight(backend, noise(2 * 9 * 3, 2));
    Buffer<real> y(backend, poison(4 * 5 * 2));
    run(backend, Conv2dForward{.geometry = kGeometry, .x = x, .weight = {weight}, .y = y});
    return y.values();
  };
  check_same_bits(results(decorated), results(*bare));
  CHECK(decorated.name() == bare->name());
  CHECK(decorated.packed_weight_size(kGeometry) == bare->packed_weight_size(kGeometry));
}

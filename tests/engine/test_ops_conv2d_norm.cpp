// conv2d_norm equals conv2d followed by ghost_batch_norm, conv2d with a residual equals the separate ops, and
// normed_convolutions gives equal results however it fuses.
#include <doctest/doctest.h>

#include "engine/layers.h"
#include "support/compare.h"
#include "support/tensors.h"

namespace crescendo::test {
namespace {

constexpr int64_t kImages = 4, kGhost = 2, kSide = 7, kIn = 18, kOut = 35;
const Shape kX{kImages, kSide, kSide, kIn}, kY{kImages, kSide, kSide, kOut};
const Conv2dOptions kSame{.padding = Padding::all(1)};

struct Operands {
  Tensor x, weight, residual;
  NormLayer norm;

  Operands(const Device& device, bool relu)
      : x(random_activations(device, kX, 1)),
        weight(random_weight(device, {kOut, 3, 3, kIn}, 2)),
        residual(random_activations(device, kY, 3)),
        norm{
            random_reals(device, {kOut}, 4),
            random_reals(device, {kOut}, 5),
            {random_reals(device, {kOut}, 6), make_reals(device, {kOut}, std::vector<real>(kOut, real{0.75})),
             random_reals(device, {kOut}, 7), random_reals(device, {kOut}, 8)},
            {.relu = relu}} {
    for (const Tensor& tensor : {x, weight, residual, norm.scale, norm.shift})
      tensor.set_needs_gradient(true);
  }
  Tensor fused(Tape& tape, const Tensor& joined) const {
    return conv2d_norm(tape, x, weight, kSame, norm, joined);
  }
  Tensor one_by_one(Tape& tape, const Tensor& joined) const {
    return ghost_batch_norm(tape, conv2d(tape, x, weight, kSame), norm.scale, norm.shift, norm.statistics,
                            norm.options, joined);
  }
};

std::vector<Device> devices() {
  return {Device::cpu(2, ConvolutionAlgorithm::winograd), Device::cpu(2, ConvolutionAlgorithm::direct)};
}

}  // namespace

TEST_CASE("conv2d_norm: evaluates as the two ops do, bit for bit") {
  for (const Device& device : devices())
    for (const bool relu : {false, true}) {
      const Operands operands(device, relu);
      for (const Tensor& joined : {Tensor(), operands.residual}) {
        CAPTURE(relu);
        CAPTURE(joined.defined());
        Tape tape = Tape::off();
        check_same_bits(operands.fused(tape, joined).to_host(), operands.one_by_one(tape, joined).to_host());
      }
    }
}

TEST_CASE("conv2d_norm: trains as the two ops do, bit for bit") {
  const auto train = [](const Operands& operands, const auto& forward) {
    Tape tape = Tape::training({.ghost = kGhost});
    const Tensor y = forward(tape);
    tape.backward(y, random_activations(y.device(), kY, 9));
    Results results{y.to_host(), operands.norm.statistics.running_mean.to_host()};
    for (const Tensor& tensor : {operands.x, operands.weight, operands.residual, operands.norm.scale})
      results.push_back(tensor.gradient().to_host());
    return results;
  };
  const Device device = Device::cpu(2);
  const Operands one(device, true), other(device, true);
  check_same_bits(train(one, [&](Tape& tape) { return one.fused(tape, one.residual); }),
                  train(other, [&](Tape& tape) { return other.one_by_one(tape, other.residual); }));
}

TEST_CASE("conv2d: joins a residual as add and relu do") {
  for (const Device& device : devices()) {
    const Operands operands(device, false);
    const Tensor bias = random_reals(device, {kOut}, 10);
    Tape tape = Tape::off();
    const Tensor sum =
        add(tape, operands.residual, conv2d(tape, operands.x, operands.weight, kSame, bias), -0.2);
    const auto joined = [&](bool relu) {
      return conv2d(tape, operands.x, operands.weight, kSame, bias,
                    {.residual = operands.residual, .factor = -0.2, .relu = relu})
          .to_host();
    };
    const auto widen = [](const std::vector<real>& values) {
      return std::vector<double>(values.begin(), values.end());
    };
    // One of the two may fuse multiplication and addition.
    const double tolerance = sum_tolerance(2, 1);
    check_close(joined(false), widen(sum.to_host()), tolerance, tolerance);
    check_close(joined(true), widen(relu(tape, sum).to_host()), tolerance, tolerance);
  }
}

TEST_CASE("conv2d and conv2d_norm: take the memory of a residual that is handed over, and of no other") {
  for (const Device& device : devices()) {
    const Operands operands(device, true);
    const auto copy = [&] { return make_activations(device, kY, operands.residual.to_host()); };
    const auto join = [&](Tape& tape, Tensor residual) {
      return conv2d(tape, operands.x, operands.weight, kSame, {},
                    {.residual = std::move(residual), .factor = 0.5});
    };
    const auto norm = [&](Tape& tape, Tensor residual) {
      return conv2d_norm(tape, operands.x, operands.weight, kSame, operands.norm, std::move(residual));
    };
    const auto check = [&](const auto& op) {
      Tape off = Tape::off();
      const Tensor expected = op(off, operands.residual);
      CHECK(expected.as_activations() != operands.residual.as_activations());
      check_same_bits(operands.residual.to_host(), noise(kY.elements(), 3));
      Tensor handed_over = copy();
      const activation* memory = handed_over.as_activations();
      const Tensor result = op(off, std::move(handed_over));
      CHECK(result.as_activations() == memory);
      check_same_bits(result.to_host(), expected.to_host());
      Tensor viewed = copy();
      memory = viewed.as_activations();
      const Tensor view = viewed.view(0, {1}, Element::activation);
      CHECK(op(off, std::move(viewed)).as_activations() != memory);
      Tape training = Tape::training({.ghost = kGhost});
      Tensor kept = copy();
      memory = kept.as_activations();
      CHECK(op(training, std::move(kept)).as_activations() != memory);
    };
    check(join);
    check(norm);
  }
}

TEST_CASE("conv2d and conv2d_norm: reject a residual of another shape, and norms that do not fit") {
  const Device device = Device::cpu(1);
  const Operands operands(device, true);
  Tape tape = Tape::off();
  const auto message = [&](const auto& call) {
    try {
      call();
    } catch (const std::invalid_argument& error) {
      return std::string(error.what());
    }
    return std::string("nothing");
  };
  CHECK(message([&] {
          conv2d(tape, operands.x, operands.weight, kSame, {}, {.residual = operands.x});
        }).starts_with("conv2d: residual [4, 7, 7, 18] for [4, 7, 7, 35]"));
  CHECK(message([&] {
          operands.fused(tape, operands.x);
        }).starts_with("conv2d_norm: residual [4, 7, 7, 18] for [4, 7, 7, 35]"));
  const Tensor room = Tensor::activations(device, {kImages, kSide, kSide, 2 * kOut});
  CHECK(message([&] {
          conv2d_norm(tape, operands.x, operands.weight, kSame, operands.norm, {}, room);
        }).starts_with("conv2d_norm: a destination of [4, 7, 7, 70] for [4, 7, 7, 35]"));
  CHECK(message([&] {
          conv2d_norm(tape, operands.x, operands.weight, kSame, operands.norm, operands.residual,
                      room.channels(0, kOut));
        }).starts_with("conv2d_norm: both a residual and a destination"));
  NormLayer narrow = operands.norm;
  narrow.scale = random_reals(device, {kIn}, 4);
  CHECK(message([&] {
          conv2d_norm(tape, operands.x, operands.weight, kSame, narrow);
        }).starts_with("ghost_batch_norm: scale [18] and shift [35] for 35 channels"));
}

TEST_CASE("normed_convolutions: evaluates as its layers one by one, and carries gradients in training") {
  for (const Device& device : devices()) {
    ParameterStore store;
    const Scope scope(store);
    std::vector<Conv2d> convolutions;
    std::vector<BatchNorm> norms;
    int64_t in = kIn;
    for (const int64_t out : {16, 33, 18}) {
      const Scope inner = scope[std::to_string(out)];
      convolutions.emplace_back(inner["conv"], Conv2dSpec{.in = in, .out = out, .options = kSame});
      norms.emplace_back(inner["bn"], out, BatchNormOptions{.relu = true});
      in = out;
    }
    store.allocate(device);
    store.initialise(7);
    const Tensor x = random_activations(device, kX, 1);
    x.set_needs_gradient(true);
    Tape tape = Tape::off();
    Tensor y = x;
    for (size_t i = 0; i < norms.size(); ++i)
      y = norms[i](tape, convolutions[i](tape, y), i + 1 < norms.size() ? Tensor() : x);
    check_same_bits(normed_convolutions(tape, convolutions, norms, x, x).to_host(), y.to_host());

    Tape training = Tape::training({.ghost = kGhost});
    training.backward(normed_convolutions(training, convolutions, norms, x, x));
    CHECK_NOTHROW(store.require_gradients());
  }
}

}  // namespace crescendo::test

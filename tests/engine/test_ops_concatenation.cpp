// A Concatenation, compared with concat_channels of the same parts: a part that is written to its slice is not
// copied, and results and gradients have the same bits.
#include <doctest/doctest.h>

#include "engine/ops.h"
#include "support/compare.h"
#include "support/tensors.h"
#include "support/tested_device.h"

namespace crescendo::test {
namespace {

constexpr int64_t kImages = 4, kGhost = 2, kSide = 7, kIn = 18, kWide = 35, kNarrow = 16, kOther = 3;
// First channels of the parts. Some are not multiples of a vector.
constexpr int64_t kPooled = kWide, kCopied = kPooled + kIn, kLast = kCopied + kOther, kAll = kLast + kNarrow;
constexpr Pool2dOptions kPool{
    .window_h = 3, .window_w = 3, .stride_h = 1, .stride_w = 1, .padding = {1, 1, 1, 1}};
const Shape kX{kImages, kSide, kSide, kIn}, kY{kImages, kSide, kSide, kAll};

struct Layer {
  Tensor weight;
  NormLayer norm;
  Conv2dOptions options;

  Layer(const Device& device, int64_t out, int64_t filter, uint32_t seed)
      : weight(random_weight(device, {out, filter, filter, kIn}, seed)),
        norm{random_reals(device, {out}, seed + 1),
             random_reals(device, {out}, seed + 2),
             {random_reals(device, {out}, seed + 3),
              make_reals(device, {out}, std::vector<real>(static_cast<size_t>(out), real{0.75})),
              random_reals(device, {out}, seed + 4), random_reals(device, {out}, seed + 5)},
             {.relu = true}},
        options{.padding = Padding::all(filter / 2)} {
    for (const Tensor& tensor : {norm.scale, norm.shift}) tensor.set_needs_gradient(true);
  }
  Tensor operator()(Tape& tape, const Tensor& x, const Tensor& destination) const {
    return conv2d_norm(tape, x, weight, options, norm, {}, destination);
  }
};

struct Operands {
  Tensor x, other;
  Layer wide, narrow;

  explicit Operands(const Device& device)
      : x(random_activations(device, kX, 1)),
        other(random_activations(device, {kImages, kSide, kSide, kOther}, 2)),
        wide(device, kWide, 3, 10),
        narrow(device, kNarrow, 1, 20) {
    for (const Tensor& tensor : {x, other}) tensor.set_needs_gradient(true);
  }
  std::vector<Tensor> parts(Tape& tape, const Concatenation* all) const {
    const auto slice = [&](int64_t first, int64_t channels) {
      return all == nullptr ? Tensor() : all->slice(first, channels);
    };
    return {wide(tape, x, slice(0, kWide)), max_pool2d(tape, x, kPool, slice(kPooled, kIn)), other,
            narrow(tape, x, slice(kLast, kNarrow))};
  }
  Tensor copied(Tape& tape) const { return concat_channels(tape, parts(tape, nullptr)); }
  Tensor in_place(Tape& tape) const {
    Concatenation all(x.device(), kY);
    for (const Tensor& part : parts(tape, &all)) all.add(part);
    return all.result(tape);
  }
};

}  // namespace

TEST_CASE("concatenation: evaluates as concat_channels, and parts stay in their slices") {
  const Device device = tested_device(2);
  const Operands operands(device);
  Tape tape = Tape::off();
  check_same_bits(operands.in_place(tape).to_host(), operands.copied(tape).to_host());

  Concatenation all(device, kY);
  const std::vector<Tensor> parts = operands.parts(tape, &all);
  for (const Tensor& part : parts) all.add(part);
  const Tensor result = all.result(tape);
  struct Placed {
    size_t part;
    int64_t first;
  };
  for (const Placed placed : {Placed{0, 0}, {1, kPooled}, {3, kLast}}) {
    CAPTURE(placed.part);
    const Tensor& made = parts[placed.part];
    const Tensor slice = result.channels(placed.first, made.shape()[3]);
    CHECK(made.as_channels() == slice.as_channels());
    check_same_bits(made.to_host(), slice.to_host());
  }
}

TEST_CASE("concatenation: siblings have the same bits with and without destinations") {
  const Device device = tested_device(2);
  const Tensor x = random_activations(device, kX, 1);
  const Layer first(device, kWide, 1, 10), second(device, kNarrow, 1, 20);
  Tape tape = Tape::off();
  const auto siblings = [&](const Tensor& first_slice, const Tensor& second_slice) {
    const std::vector<SiblingNorm> layers{{first.weight, first.norm, first_slice},
                                          {second.weight, second.norm, second_slice}};
    return sibling_conv2d_norm(tape, x, layers);
  };
  Concatenation all(device, {kImages, kSide, kSide, kWide + kNarrow});
  for (const Tensor& part : siblings(all.slice(0, kWide), all.slice(kWide, kNarrow))) all.add(part);
  check_same_bits(all.result(tape).to_host(), concat_channels(tape, siblings({}, {})).to_host());
}

TEST_CASE("concatenation: trains as concat_channels, and gradients stay in the result's") {
  const auto train = [](const Operands& operands, const auto& forward) -> Results {
    Tape tape = Tape::training({.ghost = kGhost});
    const Tensor y = forward(tape);
    tape.backward(y, random_activations(y.device(), kY, 9));
    Results results{y.to_host(), operands.x.gradient().to_host(), operands.other.gradient().to_host()};
    for (const Layer* layer : {&operands.wide, &operands.narrow})
      for (const Tensor& tensor : {layer->weight, layer->norm.scale, layer->norm.shift})
        results.push_back(tensor.gradient().to_host());
    return results;
  };
  const Operands one(tested_device(2)), other(tested_device(2));
  check_same_bits(train(one, [&](Tape& tape) { return one.in_place(tape); }),
                  train(other, [&](Tape& tape) { return other.copied(tape); }));

  const Device device = tested_device(2);
  const Operands operands(device);
  Tape tape = Tape::training({.ghost = kGhost});
  Concatenation all(device, kY);
  const std::vector<Tensor> parts = operands.parts(tape, &all);
  for (const Tensor& part : parts) all.add(part);
  const Tensor gradient = random_activations(device, kY, 9);
  tape.backward(all.result(tape), gradient);
  CHECK(parts[0].gradient().as_channels() == gradient.channels(0, kWide).as_channels());
  CHECK(parts[1].gradient().as_channels() == gradient.channels(kPooled, kIn).as_channels());
  CHECK_FALSE(parts[2].gradient().is_channels());
  CHECK(parts[3].gradient().as_channels() == gradient.channels(kLast, kNarrow).as_channels());
}

TEST_CASE("concatenation: parts of no images") {
  const Device device = tested_device(2);
  Concatenation all(device, {0, kSide, kSide, 2 * kIn});
  Tape tape = Tape::training();
  const Tensor x = Tensor::activations(device, {0, kSide, kSide, kIn});
  x.set_needs_gradient(true);
  all.add(max_pool2d(tape, x, kPool, all.slice(0, kIn)));
  all.add(x);
  const Tensor y = all.result(tape);
  CHECK(y.shape() == Shape{0, kSide, kSide, 2 * kIn});
  tape.backward(y);
  CHECK(x.gradient().defined());
}

TEST_CASE("concatenation: rejects parts that do not make up the shape") {
  const Device device = tested_device(1);
  Concatenation all(device, {2, 3, 3, 9});
  Tape tape = Tape::off();
  CHECK_THROWS_AS(all.result(tape), std::invalid_argument);
  for (int part = 0; part < 2; ++part) {
    all.add(random_activations(device, {2, 3, 3, 8}, 1));
    CHECK_THROWS_WITH_AS(
        all.result(tape),
        join("concat_channels: parts of ", Shape{2, 3, 3, 8 * (part + 1)}, " for ", Shape{2, 3, 3, 9})
            .c_str(),
        std::invalid_argument);
  }
}

TEST_CASE("concatenation: rejects destinations that do not fit") {
  const Device device = tested_device(1);
  const Operands operands(device);
  const Tensor room = Tensor::activations(device, kY), destination = room.channels(0, kIn + 1);
  const NormLayer& norm = operands.narrow.norm;
  for (Tape tape : {Tape::off(), Tape::training({.ghost = kGhost})}) {
    CHECK_THROWS_WITH_AS(max_pool2d(tape, operands.x, kPool, destination),
                         "max_pool2d: a destination of [4, 7, 7, 19] for [4, 7, 7, 18]",
                         std::invalid_argument);
    CHECK_THROWS_AS(operands.narrow(tape, operands.x, destination), std::invalid_argument);
    const Tensor x = random_activations(device, {kImages, kSide, kSide, kNarrow}, 3);
    CHECK_THROWS_WITH_AS(
        ghost_batch_norm(tape, x, norm.scale, norm.shift, norm.statistics, norm.options, {}, destination),
        "ghost_batch_norm: a destination of [4, 7, 7, 19] for [4, 7, 7, 16]", std::invalid_argument);
    CHECK_THROWS_WITH_AS(ghost_batch_norm(tape, x, norm.scale, norm.shift, norm.statistics, norm.options, x,
                                          room.channels(0, kNarrow)),
                         "ghost_batch_norm: both a residual and a destination", std::invalid_argument);
  }
}

}  // namespace crescendo::test

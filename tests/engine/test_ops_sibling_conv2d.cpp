// sibling_conv2d and sibling_conv2d_norm have equal bits to separate calls of conv2d and conv2d_norm.
#include <doctest/doctest.h>

#include "engine/ops.h"
#include "support/compare.h"
#include "support/tensors.h"

namespace crescendo::test {
namespace {

constexpr int64_t kImages = 4, kGhost = 2, kSide = 6, kIn = 20;
const std::vector<int64_t> kOut{8, 33, 16};

struct Operands {
  Tensor x;
  std::vector<Tensor> weights;
  std::vector<NormLayer> norms;

  explicit Operands(const Device& device) : x(random_activations(device, {kImages, kSide, kSide, kIn}, 1)) {
    x.set_needs_gradient(true);
    for (const int64_t out : kOut) {
      const auto seed = static_cast<uint32_t>(out);
      weights.push_back(random_weight(device, {out, 1, 1, kIn}, seed));
      weights.back().set_needs_gradient(true);
      norms.push_back({random_reals(device, {out}, seed + 1),
                       random_reals(device, {out}, seed + 2),
                       {random_reals(device, {out}, seed + 3),
                        make_reals(device, {out}, std::vector<real>(static_cast<size_t>(out), real{0.5})),
                        random_reals(device, {out}, seed + 4), random_reals(device, {out}, seed + 5)},
                       {.relu = true}});
    }
  }
  std::vector<Tensor> one_by_one(Tape& tape) const {
    std::vector<Tensor> results;
    for (const Tensor& weight : weights) results.push_back(conv2d(tape, x, weight));
    return results;
  }
};

// Returns results and gradients of a step. Only the results that are `used` contribute to the loss.
template <class Forward>
Results train(const Operands& operands, const std::vector<size_t>& used, const Forward& forward) {
  Tape tape = Tape::training({.ghost = kGhost});
  const std::vector<Tensor> ys = forward(tape);
  std::vector<Tensor> parts;
  for (const size_t i : used) parts.push_back(ys[i]);
  const Tensor all = concat_channels(tape, parts);
  tape.backward(all, random_activations(all.device(), all.shape(), 9));
  Results results{operands.x.gradient().to_host()};
  for (const Tensor& y : ys) results.push_back(y.to_host());
  for (const size_t i : used) results.push_back(operands.weights[i].gradient().to_host());
  return results;
}

}  // namespace

TEST_CASE("sibling_conv2d: trains as conv2d one by one, also where a result is not used") {
  const Device device = Device::cpu(2);
  for (const std::vector<size_t>& used : {std::vector<size_t>{0, 1, 2}, {2, 1}, {1}}) {
    CAPTURE(used.size());
    const Operands one(device), other(device), observed(device);
    const Results expected = train(other, used, [&](Tape& tape) { return other.one_by_one(tape); });
    check_same_bits(train(one, used, [&](Tape& tape) { return sibling_conv2d(tape, one.x, one.weights); }),
                    expected);
    std::vector<std::string> ops;
    check_same_bits(train(observed, used,
                          [&](Tape& tape) {
                            tape.observer = [&](const char* op, auto, const Tensor&) {
                              ops.emplace_back(op);
                            };
                            return sibling_conv2d(tape, observed.x, observed.weights);
                          }),
                    expected);
    CHECK(ops ==
          std::vector<std::string>{"sibling_conv2d", "sibling_conv2d", "sibling_conv2d", "concat_channels"});
  }
}

TEST_CASE("sibling_conv2d_norm: evaluates as conv2d_norm one by one, in places and not") {
  const Device device = Device::cpu(2);
  const Operands operands(device);
  Tape tape = Tape::off();
  const Tensor room = Tensor::activations(device, {kImages, kSide, kSide, kOut[0] + kOut[2]});
  const std::vector<Tensor> places{room.channels(0, kOut[0]), {}, room.channels(kOut[0], kOut[2])};
  std::vector<SiblingNorm> layers;
  std::vector<Tensor> expected;
  for (size_t i = 0; i < kOut.size(); ++i) {
    layers.push_back({operands.weights[i], operands.norms[i], places[i]});
    expected.push_back(conv2d_norm(tape, operands.x, operands.weights[i], {}, operands.norms[i]));
  }
  const std::vector<Tensor> results = sibling_conv2d_norm(tape, operands.x, layers);
  check_same_bits(results[1].to_host(), expected[1].to_host());
  CHECK(results[0].as_channels() == places[0].as_channels());
  CHECK(results[2].as_channels() == places[2].as_channels());
  check_same_bits(room.to_host(), concat_channels(tape, std::vector{expected[0], expected[2]}).to_host());
  CHECK(sibling_conv2d_norm(tape, operands.x, {}).empty());
}

TEST_CASE("sibling convolutions: what is refused") {
  const Device device = Device::cpu(1);
  const Operands operands(device);
  Tape off = Tape::off(), training = Tape::training();
  const std::vector<Tensor> weights{operands.weights[0], random_weight(device, {8, 3, 3, kIn}, 1)};
  CHECK_THROWS_WITH_AS(sibling_conv2d(off, operands.x, weights),
                       "sibling_conv2d: filters must be 1 x 1, got [8, 3, 3, 20]", std::invalid_argument);
  const std::vector<SiblingNorm> layers{{operands.weights[0], operands.norms[0], {}}};
  CHECK_THROWS_AS(sibling_conv2d_norm(training, operands.x, layers), std::invalid_argument);
}

}  // namespace crescendo::test

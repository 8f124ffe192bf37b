// The work of each kernel call by definition, and its bytes for activations of either width.
#include "kernels/kernel_call.h"

#include "support/run_kernel.h"

using namespace crescendo;

template <>
struct doctest::StringMaker<Work> {
  static String convert(const Work& work) {
    return (std::to_string(work.multiply_adds) + " multiply-adds, " + std::to_string(work.activations) +
            " activations, " + std::to_string(work.reals) + " reals, " + std::to_string(work.indices) +
            " indices, " + std::to_string(work.copies) + " copies, " + std::to_string(work.sums) + " sums")
        .c_str();
  }
};

namespace {

// Returns a call without operands.
template <class Call, class Geometry>
Call call_of(const Geometry& g) {
  Call call{};
  call.geometry = g;
  return call;
}
template <class Call>
Call flat_call_of(int64_t n) {
  Call call{};
  call.n = n;
  return call;
}
template <class Call>
Call update_of(int64_t n) {
  Call call{};
  call.step.n = n;
  return call;
}

// x of 252 elements, weight of 198, y of 440.
constexpr Conv2dGeometry kConvolution{.n = 2,
                                      .h = 7,
                                      .w = 6,
                                      .c = 3,
                                      .p = 4,
                                      .q = 5,
                                      .k = 11,
                                      .r = 3,
                                      .s = 2,
                                      .stride_h = 2,
                                      .stride_w = 1,
                                      .pad_top = 1,
                                      .pad_left = 0,
                                      .ghost = 2};
constexpr int64_t kProducts = 440 * 3 * 2 * 3;  // multiply-adds of kConvolution

// Returns a 1x1 convolution of x [2,3,4,6] with k filters.
Conv2dGeometry sibling(int64_t k) {
  return {.n = 2,
          .h = 3,
          .w = 4,
          .c = 6,
          .p = 3,
          .q = 4,
          .k = k,
          .r = 1,
          .s = 1,
          .stride_h = 1,
          .stride_w = 1,
          .pad_top = 0,
          .pad_left = 0,
          .ghost = 2};
}

}  // namespace

TEST_CASE("work of convolutions: a weight's gradient has reals, all other operands are activations") {
  const Work pass{.multiply_adds = kProducts, .activations = 252 + 198 + 440},
      weight_pass{.multiply_adds = kProducts, .activations = 252 + 440, .reals = 198};
  CHECK(work(call_of<PackWeight>(kConvolution)) == Work{.activations = 198, .reals = 198});
  CHECK(work(call_of<Conv2dForward>(kConvolution)) == pass);
  CHECK(work(call_of<Conv2dBackwardData>(kConvolution)) == pass);
  CHECK(work(call_of<Conv2dBackwardWeight>(kConvolution)) == weight_pass);
  CHECK(work(call_of<NormConv2dForward>(kConvolution)) == pass);
  CHECK(work(call_of<NormConv2dBackwardData>(kConvolution)) == pass);
  CHECK(work(call_of<NormConv2dBackwardWeight>(kConvolution)) == weight_pass);
}

TEST_CASE("work of sibling convolutions: x is read, and dx written, once for all") {
  SiblingConv2dForward forward{};
  SiblingConv2dBackwardData backward{};
  CHECK(work(forward) == Work{});
  CHECK(work(backward) == Work{});
  for (const int64_t k : {5, 7}) {
    forward.siblings.push_back({.geometry = sibling(k), .weight = {}, .y = nullptr});
    backward.siblings.push_back({.geometry = sibling(k), .dy = nullptr, .weight = nullptr});
  }
  // x of 144 elements, weights of 12 x 6, outputs of 24 x 12.
  const Work both{.multiply_adds = 24 * 12 * 6, .activations = 144 + 72 + 288};
  CHECK(work(forward) == both);
  CHECK(work(backward) == both);
  CHECK(as_one(forward.siblings) == sibling(12));
  CHECK(as_one(backward.siblings) == sibling(12));
}

TEST_CASE("work of linear layers and biases") {
  const LinearGeometry g{.n = 7, .in = 5, .out = 3, .ghost = 7};
  const Work pass{.multiply_adds = 7 * 5 * 3, .activations = 35 + 15 + 21};
  CHECK(work(call_of<LinearForward>(g)) == pass);
  CHECK(work(call_of<LinearBackwardData>(g)) == pass);
  CHECK(work(call_of<LinearBackwardWeight>(g)) ==
        Work{.multiply_adds = 7 * 5 * 3, .activations = 35 + 21, .reals = 15});
  CHECK(work(call_of<BiasBackward>(BiasGeometry{.n = 2, .pixels = 9, .c = 4, .ghost = 1})) ==
        Work{.activations = 2 * 9 * 4});
}

TEST_CASE("work of norms: passes over x, y and their gradients") {
  const BatchNormGeometry g{.n = 4, .pixels = 9, .c = 5, .ghost = 2, .epsilon = 0, .relu = false};
  constexpr int64_t kElements = 4 * 9 * 5;
  CHECK(work(call_of<GhostMoments>(g)) == Work{.activations = kElements});
  auto normalise = call_of<Normalise>(g);
  CHECK(work(normalise) == Work{.activations = 2 * kElements});
  int residual = 0;  // never read
  normalise.residual = reinterpret_cast<const activation*>(&residual);
  CHECK(work(normalise) == Work{.activations = 3 * kElements});
  CHECK(work(call_of<GhostBatchNormBackward>(g)) == Work{.activations = 3 * kElements});
  // Mean and variance of two ghost batches, and the running ones.
  CHECK(work(call_of<UpdateRunningStatistics>(g)) == Work{.reals = 2 * (2 + 1) * 5});
}

TEST_CASE("work of pooling: a maximum has a winner") {
  const Pool2dGeometry g{.n = 3,
                         .h = 4,
                         .w = 6,
                         .c = 2,
                         .p = 2,
                         .q = 3,
                         .r = 2,
                         .s = 2,
                         .stride_h = 2,
                         .stride_w = 2,
                         .pad_top = 0,
                         .pad_left = 0,
                         .count_padding = false};
  constexpr int64_t kInputs = 3 * 4 * 6 * 2, kOutputs = 3 * 2 * 3 * 2;
  const Work largest{.activations = kInputs + kOutputs, .indices = kOutputs},
      average{.activations = kInputs + kOutputs};
  CHECK(work(call_of<MaxPool2dForward>(g)) == largest);
  CHECK(work(call_of<MaxPool2dBackward>(g)) == largest);
  CHECK(work(call_of<AveragePool2dForward>(g)) == average);
  CHECK(work(call_of<AveragePool2dBackward>(g)) == average);
}

TEST_CASE("work of pointwise kernels, the loss and flat stores: elements times operands") {
  CHECK(work(flat_call_of<ReluForward>(10)) == Work{.activations = 20});
  CHECK(work(flat_call_of<ReluBackward>(10)) == Work{.activations = 30});
  CHECK(work(flat_call_of<ScaleAdd>(10)) == Work{.activations = 30});
  CHECK(work(flat_call_of<Scale>(10)) == Work{.activations = 20});
  CHECK(work(call_of<Dropout>(DropoutGeometry{.n = 3, .elements = 7, .key = 1, .layer = 2, .keep = 1})) ==
        Work{.activations = 2 * 3 * 7});
  CHECK(
      work(call_of<CopyChannels>(ChannelSlice{
          .rows = 5, .count = 3, .from_channels = 7, .from_offset = 2, .to_channels = 9, .to_offset = 6})) ==
      Work{.activations = 2 * 5 * 3});
  const CrossEntropyGeometry loss{.n = 3, .classes = 10, .smoothing = 0};
  CHECK(work(call_of<SoftmaxCrossEntropyForward>(loss)) == Work{.activations = 30});
  CHECK(work(call_of<SoftmaxCrossEntropyBackward>(loss)) == Work{.activations = 60});
  CHECK(work(flat_call_of<Fill>(10)) == Work{.reals = 10});
  CHECK(work(flat_call_of<FillActivations>(10)) == Work{.activations = 10});
  CHECK(work(flat_call_of<Blend>(10)) == Work{.reals = 30});
}

TEST_CASE("work of an update's sums") {
  CHECK(work(flat_call_of<BeginUpdate>(10)) == Work{.sums = 10});
  auto add = flat_call_of<AddToSums>(10);
  add.ghosts = 3;
  CHECK(work(add) == Work{.reals = 30, .sums = 20});
  auto take = flat_call_of<TakeSums>(10);
  CHECK(work(take) == Work{.reals = 10, .sums = 10});
  take.keep = 0.5;
  CHECK(work(take) == Work{.reals = 20, .sums = 10});
  CHECK(work(flat_call_of<SumOfSquares>(10)) == Work{.reals = 10});
  CHECK(work(flat_call_of<CheckFinite>(10)) == Work{.reals = 10});
  CHECK(work(AddSquare()) == Work());
  CHECK(work(EndUpdate()) == Work());
  const BatchNormGeometry g{.n = 4, .pixels = 9, .c = 5, .ghost = 2, .epsilon = 0, .relu = false};
  CHECK(work(call_of<AddStatistics>(g)) == Work{.reals = 2 * 2 * 5, .sums = 2 * 2 * 5});
  CHECK(Work{.sums = 3}.bytes(2) == 24);
}

TEST_CASE("work of samples") {
  CHECK(work(call_of<CountSamples>(SampleCount{.n = 6, .ghost = 3})) == Work{.reals = 6, .indices = 6});
  CHECK(work(call_of<GatherImages>(
            ImageGather{.n = 2, .h = 4, .w = 5, .images = 9, .key = 1, .augment = false})) ==
        Work{.activations = 2 * (2 * 4 * 5 * 3)});
  auto convert = flat_call_of<ConvertSamples>(2);
  convert.elements = 12;
  CHECK(work(convert) == Work{.activations = 24, .reals = 24});
  CHECK(work_of_transfer(24) == work(convert));
}

TEST_CASE("work of optimizers: gradients are read, the other stores read and written") {
  CHECK(work(update_of<Sgd>(10)) == Work{.reals = 30, .copies = 10});
  CHECK(work(update_of<Momentum>(10)) == Work{.reals = 50, .copies = 10});
  CHECK(work(update_of<Adam>(10)) == Work{.reals = 70, .copies = 10});
}

TEST_CASE("bytes of work: copies of parameters exist only where activations are not reals") {
  constexpr size_t kReal = sizeof(real), kHalf = kReal / 2;
  const Work all{.multiply_adds = 100, .activations = 2, .reals = 3, .indices = 5, .copies = 7};
  CHECK(all.bytes(kReal) == 2 * kReal + 3 * kReal + 5 * sizeof(int32_t));
  CHECK(all.bytes(kHalf) == (2 + 7) * kHalf + 3 * kReal + 5 * sizeof(int32_t));
}

#include "models/inception_resnet_v2.h"

#include <array>

namespace crescendo {
namespace {

constexpr int64_t kChannels35 = 320, kChannels17 = 1088, kChannels8 = 2080;
constexpr int64_t kStemChannels = 192, kFeatures = 1536, kAuxiliaryFeatures = 768;
constexpr int64_t kSmallestImage = 75, kSmallestAuxiliaryGrid = 17;
constexpr uint32_t kDropoutLayer = 0;
constexpr Pool2dOptions kHalve{.window_h = 3, .window_w = 3};  // stride 2

const InceptionBlockSpec kBlock35{
    .channels = kChannels35,
    .branches = {{{32, 1, 1}}, {{32, 1, 1}, {32, 3, 3}}, {{32, 1, 1}, {48, 3, 3}, {64, 3, 3}}},
    .scale = 0.17};
const InceptionBlockSpec kBlock17{.channels = kChannels17,
                                  .branches = {{{192, 1, 1}}, {{128, 1, 1}, {160, 1, 7}, {192, 7, 1}}},
                                  .scale = 0.10};
const InceptionBlockSpec kBlock8{.channels = kChannels8,
                                 .branches = {{{192, 1, 1}}, {{192, 1, 1}, {224, 1, 3}, {256, 3, 1}}},
                                 .scale = 0.20};
const InceptionBlockSpec kLastBlock8{
    .channels = kChannels8, .branches = kBlock8.branches, .scale = 1, .relu = false};

// A 3x3 convolution that halves the grid: stride 2, no padding.
constexpr Filter halving(int64_t out) {
  return {.out = out, .height = 3, .width = 3, .stride = 2, .padded = false};
}

const std::vector<std::vector<Filter>> kMixed6a = {{halving(384)}, {{256, 1, 1}, {256, 3, 3}, halving(384)}};
const std::vector<std::vector<Filter>> kMixed7a = {
    {{256, 1, 1}, halving(384)}, {{256, 1, 1}, halving(288)}, {{256, 1, 1}, {288, 3, 3}, halving(320)}};

}  // namespace

InceptionResNetV2::InceptionResNetV2(const ModelOptions& given)
    : conv2d_1a_(Scope(parameters)["conv2d_1a"], given.image_channels, halving(32), given),
      conv2d_2a_(Scope(parameters)["conv2d_2a"], 32, {32, 3, 3, 1, false}, given),
      conv2d_2b_(Scope(parameters)["conv2d_2b"], 32, {64, 3, 3}, given),
      conv2d_3b_(Scope(parameters)["conv2d_3b"], 64, {80, 1, 1}, given),
      conv2d_4a_(Scope(parameters)["conv2d_4a"], 80, {kStemChannels, 3, 3, 1, false}, given),
      mixed_5b_(make_mixed_5b(Scope(parameters)["mixed_5b"], given)),
      repeat_(make_blocks(Scope(parameters)["repeat"], 10, kBlock35, given)),
      mixed_6a_(Scope(parameters)["mixed_6a"], kChannels35, kMixed6a, true, given),
      repeat_1_(make_blocks(Scope(parameters)["repeat_1"], 20, kBlock17, given)),
      mixed_7a_(Scope(parameters)["mixed_7a"], kChannels17, kMixed7a, true, given),
      repeat_2_(make_blocks(Scope(parameters)["repeat_2"], 9, kBlock8, given)),
      block8_(Scope(parameters)["block8"], kLastBlock8, given),
      conv2d_7b_(Scope(parameters)["conv2d_7b"], kChannels8, {kFeatures, 1, 1}, given),
      classifier_(Scope(parameters)["classif"], kFeatures, given.classes),
      auxiliary_head_(make_auxiliary_head(Scope(parameters)[kAuxiliaryHead], given)) {
  options = given;
}

InceptionResNetV2::Mixed5b InceptionResNetV2::make_mixed_5b(const Scope& scope, const ModelOptions& options) {
  const std::vector<std::vector<Filter>> filters = {
      {{96, 1, 1}}, {{48, 1, 1}, {64, 5, 5}}, {{64, 1, 1}, {96, 3, 3}, {96, 3, 3}}};
  std::vector<Branch> branches;
  branches.reserve(filters.size());
  for (size_t i = 0; i < filters.size(); ++i)
    branches.emplace_back(scope["branch" + std::to_string(i)], kStemChannels, filters[i], options);
  return {std::move(branches),
          {scope["branch3"]["1"], kStemChannels, {64, 1, 1}, options}};  // "0" is the pooling
}

std::vector<InceptionBlock> InceptionResNetV2::make_blocks(const Scope& scope, int64_t count,
                                                           const InceptionBlockSpec& spec,
                                                           const ModelOptions& options) {
  std::vector<InceptionBlock> blocks;
  blocks.reserve(static_cast<size_t>(count));
  for (int64_t i = 0; i < count; ++i) blocks.emplace_back(scope[std::to_string(i)], spec, options);
  return blocks;
}

std::optional<InceptionResNetV2::AuxiliaryHead> InceptionResNetV2::make_auxiliary_head(
    const Scope& scope, const ModelOptions& options) {
  if (options.auxiliary_weight == 0) return {};
  const std::array<Filter, 2> filters = {{{128, 1, 1}, {kAuxiliaryFeatures, 5, 5, 1, false}}};
  return AuxiliaryHead{{scope, kChannels17, filters, options},
                       {scope["classif"], kAuxiliaryFeatures, options.classes}};
}

Tensor InceptionResNetV2::Mixed5b::operator()(Tape& tape, const Tensor& x) const {
  constexpr Pool2dOptions kSmooth{.window_h = 3,
                                  .window_w = 3,
                                  .stride_h = 1,
                                  .stride_w = 1,
                                  .padding = {1, 1, 1, 1},
                                  .count_padding = false};
  const Shape& in = x.shape();
  Concatenation parts(x.device(), {in[0], in[1], in[2], kChannels35});
  add_branches(tape, branches, x, parts);
  const Tensor destination = parts.slice(kChannels35 - smoothed.width(), smoothed.width());
  parts.add(smoothed(tape, average_pool2d(tape, x, kSmooth), destination));
  return parts.result(tape);
}

Tensor InceptionResNetV2::AuxiliaryHead::operator()(Tape& tape, const Tensor& x) const {
  constexpr Pool2dOptions kPool{.window_h = 5, .window_w = 5, .stride_h = 3, .stride_w = 3};
  const Shape& grid = x.shape();
  require(grid[1] >= kSmallestAuxiliaryGrid && grid[2] >= kSmallestAuxiliaryGrid,
          "inception-resnet-v2: the auxiliary head needs images of at least 299 x 299");
  return classifier(tape, global_average_pool(tape, branch(tape, average_pool2d(tape, x, kPool))));
}

Tensor InceptionResNetV2::to_17x17(Tape& tape, const Tensor& images) const {
  const Shape& size = images.shape();
  require(size.rank() == 4 && size[1] >= kSmallestImage && size[2] >= kSmallestImage,
          "inception-resnet-v2: needs images of at least ", kSmallestImage, " x ", kSmallestImage, ", got ",
          size);
  Tensor x = conv2d_2b_(tape, conv2d_2a_(tape, conv2d_1a_(tape, images)));
  x = conv2d_4a_(tape, conv2d_3b_(tape, max_pool2d(tape, x, kHalve)));
  x = mixed_5b_(tape, max_pool2d(tape, x, kHalve));
  for (const InceptionBlock& block : repeat_) x = block(tape, std::move(x));
  x = mixed_6a_(tape, x);
  for (const InceptionBlock& block : repeat_1_) x = block(tape, std::move(x));
  return x;
}

Tensor InceptionResNetV2::to_logits(Tape& tape, const Tensor& x) const {
  Tensor y = mixed_7a_(tape, x);
  for (const InceptionBlock& block : repeat_2_) y = block(tape, std::move(y));
  y = global_average_pool(tape, conv2d_7b_(tape, block8_(tape, std::move(y))));
  return classifier_(tape, dropout(tape, y, options.dropout_keep, kDropoutLayer));
}

Tensor InceptionResNetV2::forward(Tape& tape, const Tensor& images) const {
  return to_logits(tape, to_17x17(tape, images));
}

ModelOutputs InceptionResNetV2::outputs(Tape& tape, const Tensor& images) const {
  const Tensor x = to_17x17(tape, images);
  const Tensor logits = to_logits(tape, x);
  if (!auxiliary_head_ || !tape.is_training()) return {logits, {}};
  return {logits, (*auxiliary_head_)(tape, x)};
}

}  // namespace crescendo

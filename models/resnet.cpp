#include "models/resnet.h"

#include <algorithm>
#include <array>

namespace crescendo {
namespace {

constexpr int64_t kStemChannels = 64;
constexpr double kHeadSpread = 0.01;

struct Depth {
  int64_t depth;
  std::array<int64_t, 4> blocks;  // number of blocks in each layer
  bool bottleneck;
  int64_t features() const { return kStemChannels * 8 * (bottleneck ? 4 : 1); }
};
constexpr std::array<Depth, 5> kDepths = {{{18, {2, 2, 2, 2}, false},
                                           {34, {3, 4, 6, 3}, false},
                                           {50, {3, 4, 6, 3}, true},
                                           {101, {3, 4, 23, 3}, true},
                                           {152, {3, 8, 36, 3}, true}}};

const Depth& depth_of(int64_t depth) {
  const auto* const found = std::find_if(kDepths.begin(), kDepths.end(),
                                         [&](const Depth& candidate) { return candidate.depth == depth; });
  require(found != kDepths.end(), "resnet: no network of depth ", depth, ", only 18, 34, 50, 101 and 152");
  return *found;
}

// A square convolution with zero padding, so that stride 1 keeps the size.
Conv2dSpec square(int64_t in, int64_t out, int64_t kernel, int64_t stride) {
  return {.in = in,
          .out = out,
          .kernel_h = kernel,
          .kernel_w = kernel,
          .options = {.stride_h = stride, .stride_w = stride, .padding = Padding::all(kernel / 2)}};
}

BatchNormOptions norm_options(const ModelOptions& options, bool relu = true) {
  return {.momentum = options.norm_momentum, .relu = relu};
}

}  // namespace

bool ResNet::has_depth(int64_t depth) {
  return std::any_of(kDepths.begin(), kDepths.end(),
                     [&](const Depth& candidate) { return candidate.depth == depth; });
}

ResNet::ResNet(int64_t depth, const ModelOptions& model_options)
    : stem_(Scope(parameters)["conv1"], square(model_options.image_channels, kStemChannels, 7, 2)),
      stem_norm_(Scope(parameters)["bn1"], kStemChannels, norm_options(model_options)),
      blocks_(make_blocks(Scope(parameters), depth, model_options)),
      head_(Scope(parameters)["fc"], depth_of(depth).features(), model_options.classes, kHeadSpread) {
  options = model_options;
}

std::vector<ResNet::Block> ResNet::make_blocks(const Scope& scope, int64_t depth,
                                               const ModelOptions& options) {
  const Depth& sizes = depth_of(depth);
  std::vector<Block> blocks;
  int64_t in = kStemChannels;
  for (size_t layer = 0; layer < sizes.blocks.size(); ++layer)
    for (int64_t block = 0; block < sizes.blocks[layer]; ++block) {
      const BlockShape shape{.in = in,
                             .width = kStemChannels << layer,
                             .stride = block == 0 && layer > 0 ? 2 : 1,
                             .bottleneck = sizes.bottleneck};
      const Scope inner = scope["layer" + std::to_string(layer + 1)][std::to_string(block)];
      blocks.push_back(make_block(inner, shape, options));
      in = shape.out();
    }
  return blocks;
}

ResNet::Block ResNet::make_block(const Scope& scope, const BlockShape& shape, const ModelOptions& options) {
  const auto [in, width, stride, bottleneck] = shape;
  const std::vector<Conv2dSpec> specs =
      bottleneck ? std::vector{square(in, width, 1, 1), square(width, width, 3, stride),
                               square(width, 4 * width, 1, 1)}
                 : std::vector{square(in, width, 3, stride), square(width, width, 3, 1)};
  Block block;
  for (size_t i = 0; i < specs.size(); ++i) {
    const bool last = i + 1 == specs.size();
    const std::string number = std::to_string(i + 1);
    block.convolutions.emplace_back(scope["conv" + number], specs[i]);
    block.norms.emplace_back(scope["bn" + number], specs[i].out, norm_options(options),
                             last && options.zero_gamma ? NormScale::from_zero : NormScale::from_one);
  }
  if (in != shape.out() || stride != 1) {
    block.projection.emplace(scope["downsample"]["0"], square(in, shape.out(), 1, stride));
    block.projection_norm.emplace(scope["downsample"]["1"], shape.out(), norm_options(options, false));
  }
  return block;
}

Tensor ResNet::Block::operator()(Tape& tape, Tensor x) const {
  // The projection comes first, so that its gradient comes last.
  // Then pixels that its stride skips need no addition.
  Tensor shortcut = projection ? conv2d_norm(tape, *projection, *projection_norm, x) : x;
  return normed_convolutions(tape, convolutions, norms, std::move(x), std::move(shortcut));
}

Tensor ResNet::forward(Tape& tape, const Tensor& images) const {
  constexpr Pool2dOptions kStemPool{
      .window_h = 3, .window_w = 3, .stride_h = 2, .stride_w = 2, .padding = {1, 1, 1, 1}};
  Tensor x = max_pool2d(tape, conv2d_norm(tape, stem_, stem_norm_, images), kStemPool);
  for (const Block& block : blocks_) x = block(tape, std::move(x));
  return head_(tape, global_average_pool(tape, x));
}

}  // namespace crescendo

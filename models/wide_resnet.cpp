#include "models/wide_resnet.h"

namespace crescendo {
namespace {

constexpr int64_t kStemChannels = 16;
constexpr int64_t kGroups = 3;

Conv2dSpec conv3x3(int64_t in, int64_t out, int64_t stride) {
  return {
      .in = in, .out = out, .options = {.stride_h = stride, .stride_w = stride, .padding = Padding::all(1)}};
}

Conv2dSpec conv1x1(int64_t in, int64_t out, int64_t stride) {
  return {.in = in,
          .out = out,
          .kernel_h = 1,
          .kernel_w = 1,
          .options = {.stride_h = stride, .stride_w = stride}};
}

int64_t group_channels(int64_t group, int64_t width) {
  return checked_product(kStemChannels << group, width, "wide ResNet: channels");
}

}  // namespace

WideResNet::WideResNet(int64_t depth, int64_t width, const ModelOptions& model_options)
    : norm_options_{.momentum = model_options.norm_momentum, .relu = true},
      stem_(Scope(parameters)["conv0"], conv3x3(model_options.image_channels, kStemChannels, 1)),
      blocks_(make_blocks(Scope(parameters), depth, width, norm_options_)),
      norm_(Scope(parameters)["bn"], group_channels(kGroups - 1, width), norm_options_),
      head_(Scope(parameters)["fc"], group_channels(kGroups - 1, width), model_options.classes) {
  options = model_options;
}

std::vector<WideResNet::Block> WideResNet::make_blocks(const Scope& scope, int64_t depth, int64_t width,
                                                       const BatchNormOptions& norm) {
  const int64_t blocks_per_group = (depth - 4) / 6;
  std::vector<Block> blocks;
  int64_t in = kStemChannels;
  for (int64_t group = 0; group < kGroups; ++group) {
    const int64_t out = group_channels(group, width);
    for (int64_t block = 0; block < blocks_per_group; ++block) {
      const int64_t stride = block == 0 && group > 0 ? 2 : 1;
      const Scope inner = scope["group" + std::to_string(group)]["block" + std::to_string(block)];
      blocks.push_back(make_block(inner, in, out, stride, norm));
      in = out;
    }
  }
  return blocks;
}

WideResNet::Block WideResNet::make_block(const Scope& scope, int64_t in, int64_t out, int64_t stride,
                                         const BatchNormOptions& norm) {
  Block block{.bn0 = {scope["bn0"], in, norm},
              .conv0 = {scope["conv0"], conv3x3(in, out, stride)},
              .bn1 = {scope["bn1"], out, norm},
              .conv1 = {scope["conv1"], conv3x3(out, out, 1)},
              .convdim = {}};
  if (in != out) block.convdim.emplace(scope["convdim"], conv1x1(in, out, stride));
  return block;
}

TensorWithMoments WideResNet::Block::operator()(Tape& tape, const TensorWithMoments& x) const {
  if (!convdim) return norm_conv2d(tape, bn1, conv1, norm_conv2d(tape, bn0, conv0, x), x.tensor);
  const Tensor o = bn0(tape, x);
  // The shortcut comes first, so that its gradient comes last.
  // Then pixels that its stride skips need no addition.
  const Tensor shortcut = (*convdim)(tape, o);
  return norm_conv2d(tape, bn1, conv1, conv0(tape, o), shortcut);
}

Tensor WideResNet::forward(Tape& tape, const Tensor& images) const {
  TensorWithMoments x = stem_(tape, images);
  for (const Block& block : blocks_) x = block(tape, x);
  return head_(tape, global_average_pool(tape, norm_(tape, x)));
}

}  // namespace crescendo

#include "models/inception_blocks.h"

namespace crescendo {
namespace {

constexpr double kNormEpsilon = 1e-3;
constexpr Pool2dOptions kHalve{.window_h = 3, .window_w = 3};  // stride 2

int64_t width_of(const std::vector<std::vector<Filter>>& branches) {
  int64_t width = 0;
  for (const auto& filters : branches) width += filters.back().out;
  return width;
}

}  // namespace

Branch::Branch(const Scope& scope, int64_t in, std::span<const Filter> filters, const ModelOptions& options)
    : width_(filters.back().out),
      begins_pointwise_(filters[0].height == 1 && filters[0].width == 1 && filters[0].stride == 1) {
  const BatchNormOptions norm{.epsilon = kNormEpsilon, .momentum = options.norm_momentum, .relu = true};
  for (size_t i = 0; i < filters.size(); ++i) {
    const Filter& filter = filters[i];
    const int64_t pad_h = filter.padded ? filter.height / 2 : 0, pad_w = filter.padded ? filter.width / 2 : 0;
    const Conv2dOptions how{
        .stride_h = filter.stride, .stride_w = filter.stride, .padding = {pad_h, pad_h, pad_w, pad_w}};
    const Scope inner = filters.size() == 1 ? scope : scope[std::to_string(i)];
    convolutions_.emplace_back(inner["conv"], Conv2dSpec{.in = in,
                                                         .out = filter.out,
                                                         .kernel_h = filter.height,
                                                         .kernel_w = filter.width,
                                                         .options = how});
    norms_.emplace_back(inner["bn"], filter.out, norm,
                        options.norm_scale ? NormScale::from_one : NormScale::fixed);
    in = filter.out;
  }
}

Tensor Branch::operator()(Tape& tape, const Tensor& x, const Tensor& destination) const {
  return normed_convolutions(tape, convolutions_, norms_, x, {}, destination);
}

void add_branches(Tape& tape, std::span<const Branch> branches, const Tensor& x, Concatenation& parts) {
  std::vector<Tensor> results(branches.size());
  std::vector<NormedChain> siblings;
  std::vector<size_t> numbers;  // index of each sibling's branch
  int64_t first = 0;
  for (size_t i = 0; i < branches.size(); ++i) {
    const Tensor destination = parts.slice(first, branches[i].width());
    first += branches[i].width();
    if (branches[i].begins_pointwise()) {
      siblings.push_back(branches[i].chain(destination));
      numbers.push_back(i);
    } else {
      results[i] = branches[i](tape, x, destination);
    }
  }
  const std::vector<Tensor> made = sibling_chains(tape, siblings, x);
  for (size_t i = 0; i < made.size(); ++i) results[numbers[i]] = made[i];
  for (const Tensor& result : results) parts.add(result);
}

Branches::Branches(const Scope& scope, int64_t in, const std::vector<std::vector<Filter>>& branches,
                   bool pool, const ModelOptions& options)
    : pool_(pool), width_(width_of(branches) + (pool ? in : 0)) {
  for (size_t i = 0; i < branches.size(); ++i)
    branches_.emplace_back(scope["branch" + std::to_string(i)], in, branches[i], options);
}

Tensor Branches::operator()(Tape& tape, const Tensor& x) const {
  const Shape& in = x.shape();
  const auto grid = [&](int64_t size) {
    return pool_ ? (size - kHalve.window_h) / kHalve.stride_h + 1 : size;
  };
  Concatenation parts(x.device(), {in[0], grid(in[1]), grid(in[2]), width_});
  add_branches(tape, branches_, x, parts);
  if (pool_) parts.add(max_pool2d(tape, x, kHalve, parts.slice(width_ - in[3], in[3])));
  return parts.result(tape);
}

InceptionBlock::InceptionBlock(const Scope& scope, const InceptionBlockSpec& spec,
                               const ModelOptions& options)
    : branches_(scope, spec.channels, spec.branches, false, options),
      widen_(
          scope["conv2d"],
          {.in = width_of(spec.branches), .out = spec.channels, .kernel_h = 1, .kernel_w = 1, .bias = true}),
      scale_(spec.scale),
      relu_(spec.relu) {}

Tensor InceptionBlock::operator()(Tape& tape, Tensor x) const {
  const Tensor branches = branches_(tape, x);
  return widen_(tape, branches, {.residual = std::move(x), .factor = scale_, .relu = relu_});
}

}  // namespace crescendo

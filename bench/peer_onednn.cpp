// oneDNN 2's convolution. The primitive chooses the layout of every operand (format any) and the algorithm.
#include <fmt/format.h>
#include <omp.h>

#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "oneapi/dnnl/dnnl.hpp"
#include "peer.h"

namespace crescendo::bench {
namespace {

using dnnl::memory;
using Format = memory::format_tag;
using Arguments = std::unordered_map<int, memory>;

// Sizes in oneDNN's order, whatever the layout in memory.
struct Sizes {
  memory::dims x, weight, y, strides, pad_before, pad_after;
  explicit Sizes(const Conv2dGeometry& g)
      : x{g.n, g.c, g.h, g.w},
        weight{g.k, g.c, g.r, g.s},
        y{g.n, g.k, g.p, g.q},
        strides{g.stride_h, g.stride_w},
        pad_before{g.pad_top, g.pad_left},
        pad_after{(g.p - 1) * g.stride_h + g.r - g.h - g.pad_top,
                  (g.q - 1) * g.stride_w + g.s - g.w - g.pad_left} {}
};

memory::desc described(const memory::dims& dims, Format format) {
  return {dims, memory::data_type::f32, format};
}

// One operand in the primitive's layout. If reorders are timed, also in ours, with the reorder between them.
struct Operand {
  memory theirs;
  std::optional<memory> ours;
  std::optional<dnnl::reorder> reorder;
  bool written = false;
};

class OnednnConvolution {
 public:
  OnednnConvolution(ConvolutionPass pass, const Conv2dGeometry& g, bool reorder)
      : sizes_(g), reorder_(reorder), engine_(dnnl::engine::kind::cpu, 0), stream_(engine_) {
    switch (pass) {
      case ConvolutionPass::forward:
        make_forward();
        break;
      case ConvolutionPass::backward_data:
        make_backward_data();
        break;
      case ConvolutionPass::backward_weights:
        make_backward_weights();
        break;
    }
  }

  void run() {
    for (Operand& o : operands_)
      if (o.reorder && !o.written) o.reorder->execute(stream_, *o.ours, o.theirs);
    primitive_.execute(stream_, arguments_);
    for (Operand& o : operands_)
      if (o.reorder && o.written) o.reorder->execute(stream_, o.theirs, *o.ours);
    stream_.wait();
  }

 private:
  static constexpr auto kAlgorithm = dnnl::algorithm::convolution_auto;
  memory::desc any(const memory::dims& dims) const { return described(dims, Format::any); }

  dnnl::convolution_forward::primitive_desc forward_description() const {
    const dnnl::convolution_forward::desc desc(dnnl::prop_kind::forward_training, kAlgorithm, any(sizes_.x),
                                               any(sizes_.weight), any(sizes_.y), sizes_.strides,
                                               sizes_.pad_before, sizes_.pad_after);
    return {desc, engine_};
  }

  void make_forward() {
    const auto chosen = forward_description();
    add(DNNL_ARG_SRC, chosen.src_desc(), sizes_.x, Format::nhwc);
    add(DNNL_ARG_WEIGHTS, chosen.weights_desc(), sizes_.weight, Format::ohwi);
    add(DNNL_ARG_DST, chosen.dst_desc(), sizes_.y, Format::nhwc, true);
    primitive_ = dnnl::convolution_forward(chosen);
  }

  void make_backward_data() {
    const dnnl::convolution_backward_data::desc desc(kAlgorithm, any(sizes_.x), any(sizes_.weight),
                                                     any(sizes_.y), sizes_.strides, sizes_.pad_before,
                                                     sizes_.pad_after);
    const dnnl::convolution_backward_data::primitive_desc chosen(desc, engine_, forward_description());
    add(DNNL_ARG_DIFF_DST, chosen.diff_dst_desc(), sizes_.y, Format::nhwc);
    add(DNNL_ARG_WEIGHTS, chosen.weights_desc(), sizes_.weight, Format::ohwi);
    add(DNNL_ARG_DIFF_SRC, chosen.diff_src_desc(), sizes_.x, Format::nhwc, true);
    primitive_ = dnnl::convolution_backward_data(chosen);
  }

  void make_backward_weights() {
    const dnnl::convolution_backward_weights::desc desc(kAlgorithm, any(sizes_.x), any(sizes_.weight),
                                                        any(sizes_.y), sizes_.strides, sizes_.pad_before,
                                                        sizes_.pad_after);
    const dnnl::convolution_backward_weights::primitive_desc chosen(desc, engine_, forward_description());
    add(DNNL_ARG_SRC, chosen.src_desc(), sizes_.x, Format::nhwc);
    add(DNNL_ARG_DIFF_DST, chosen.diff_dst_desc(), sizes_.y, Format::nhwc);
    add(DNNL_ARG_DIFF_WEIGHTS, chosen.diff_weights_desc(), sizes_.weight, Format::ohwi, true);
    primitive_ = dnnl::convolution_backward_weights(chosen);
  }

  memory allocate(const memory::desc& layout) const {
    memory block(layout, engine_);
    float* values = static_cast<float*>(block.get_data_handle());
    std::fill_n(values, layout.get_size() / sizeof(float), 0.5F);
    return block;
  }

  void add(int argument, const memory::desc& chosen, const memory::dims& dims, Format our_format,
           bool written = false) {
    Operand operand{.theirs = allocate(chosen), .ours = {}, .reorder = {}, .written = written};
    const memory::desc our_layout = described(dims, our_format);
    if (reorder_ && our_layout != chosen) {
      operand.ours = allocate(our_layout);
      operand.reorder = written ? dnnl::reorder(operand.theirs, *operand.ours)
                                : dnnl::reorder(*operand.ours, operand.theirs);
    }
    arguments_.emplace(argument, operand.theirs);
    operands_.push_back(operand);
  }

  Sizes sizes_;
  bool reorder_;
  dnnl::engine engine_;
  dnnl::stream stream_;
  dnnl::primitive primitive_;
  Arguments arguments_;
  std::vector<Operand> operands_;
};

}  // namespace

Call onednn_convolution(ConvolutionPass pass, const Conv2dGeometry& g, bool reorder, int threads) {
  omp_set_num_threads(threads);
  return [convolution = std::make_shared<OnednnConvolution>(pass, g, reorder)] { convolution->run(); };
}

std::string onednn_version() {
  const dnnl_version_t* version = dnnl_version();
  return fmt::format("{}.{}.{}", version->major, version->minor, version->patch);
}

}  // namespace crescendo::bench

// Convolutions without a norm by Winograd's algorithm. winograd_blocks.h does the work.
#include "kernels/cpu/conv2d_winograd.h"

#include "kernels/cpu/winograd_blocks.h"

namespace crescendo::CRESCENDO_CPU {

namespace {

// Returns f(algorithm) with the algorithm of the convolution, which must have one.
template <class F>
auto with_algorithm(const GatherConvolution& d, const F& f) {
  if (d.spread == 2) return f(winograd::StrideTwoBackward());
  if (d.step_h == 2) return f(winograd::StrideTwo());
  return winograd::with_unit_stride(d.taps_h, d.taps_w, f);
}

// The output of run_blocks: target (=|+=) tile, or, with an epilogue, target = epilogue(tile).
struct Target {
  const GatherConvolution& d;
  Epilogue epilogue;
  real* target;
  Write how;
  bool past_cache;

  winograd::Image reads() const { return {epilogue.residual, d.rows, d.columns, d.out}; }
  template <class Place, size_t Rows, size_t Columns>
  void write(const Place& at, const Vector (&tile)[Rows][Columns]) const {
    const int64_t corner =
        at.image * d.target_image + at.row * d.target_row + at.column * d.target_pixel + at.channel;
    const auto each = [&](const auto& value) {
      at.each_pixel([&](int64_t i, int64_t j) {
        const int64_t place = corner + i * d.target_row + j * d.target_pixel;
        at.write(target + place, value(place, tile[i][j]), past_cache);
      });
    };
    if (epilogue.constants == nullptr) {
      each([&](int64_t place, const Vector& sum) {
        return how == Write::add ? add(at.read(target + place), sum) : sum;
      });
      return;
    }
    const Epilogue::Lanes finished = epilogue.at(at.channel, at.lanes);
    each([&](int64_t place, const Vector& sum) {
      return epilogue.residual == nullptr ? finished(sum) : finished(sum, at.read(epilogue.residual + place));
    });
  }
};

}  // namespace

bool uses_winograd(const GatherConvolution& d, ConvolutionAlgorithm algorithm) {
  if (d.step_h != d.step_w || !winograd::is_defined(d.taps_h, d.taps_w, d.step_h * d.spread)) return false;
  // InterleavedOutput requires that the odd target pixels are those with two taps.
  if (d.spread == 2 && (d.first_row % 2 == 0 || d.first_column % 2 == 0)) return false;
  // Measured: with stride 2, direct convolution is faster if less than three quarters of the tiles is
  // used, or if the transformed weights leave the cache between their two uses.
  // One-dimensional transforms cost less.
  const bool strided = d.step_h * d.spread == 2;
  if (strided && algorithm == ConvolutionAlgorithm::automatic &&
      winograd_weights_size(d) * static_cast<int64_t>(sizeof(real)) > kCachedBytes)
    return false;
  const double saving = strided ? 1.3 : d.taps() < 9 ? 1.5 : 2;
  return with_algorithm(d, [&](auto kind) {
    return winograd::chosen<decltype(kind)>(algorithm, saving, (d.rows + d.spread - 1) / d.spread,
                                            (d.columns + d.spread - 1) / d.spread, d.in, d.out);
  });
}

int64_t winograd_weights_size(const GatherConvolution& d) {
  return with_algorithm(d, [&](auto kind) { return winograd::BlockPlan<decltype(kind)>(d).weights_size(); });
}

int64_t winograd_scratch_size(const GatherConvolution& d) {
  return with_algorithm(d, [&](auto kind) { return winograd::BlockPlan<decltype(kind)>(d).scratch_size(); });
}

void transform_weights(const GatherConvolution& d, int64_t out, int64_t in,
                       const Vector (&taps)[kMostWinogradTaps][kLanes], real* transformed) {
  with_algorithm(d, [&](auto kind) {
    using Algorithm = decltype(kind);
    using Along = typename Algorithm::Along::Filter;
    const winograd::BlockPlan<Algorithm> plan(d);
    const int64_t tile = out / kTileWidth, width = tile_width(d.out, tile);
    real* to = transformed + tile * kTileWidth * d.in + in * width + out % kTileWidth;
    for (int64_t i = 0; i < std::min<int64_t>(kLanes, d.in - in); ++i, to += width)
      winograd::in_two_dimensions<typename Algorithm::Down::Filter, Along>(
          [&](int r, int s) { return taps[r * Along::kFrom + s][i]; },
          [&](int r, int s, const Vector& value) {
            store(to + (r * Along::kTo + s) * plan.u_matrix, value);
          });
  });
}

void run_winograd(const GatherConvolution& d, const Threads& threads, const real* source,
                  const real* transformed, const Epilogue& epilogue, real* scratch, real* target,
                  Write write) {
  const bool past_cache = goes_past_cache(d, epilogue, target, write);
  with_algorithm(d, [&](auto kind) {
    winograd::run_blocks<decltype(kind)>(d, threads, {source, d.h, d.w, d.in}, winograd::AsTheyAre(),
                                         transformed, scratch,
                                         Target{d, epilogue, target, write, past_cache});
  });
}

}  // namespace crescendo::CRESCENDO_CPU

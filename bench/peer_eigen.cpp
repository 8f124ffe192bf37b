// The textbook convolution: the windows of an image become the rows of a matrix (im2col), and one matrix
// product follows. Each thread takes some of the images, and runs their products alone.
//   forward           y = windows * weight^T
//   backward data     d windows = dy * weight, each added to the pixel it was taken from
//   backward weights  dweight = sum over images of dy^T * windows
#include <Eigen/Core>
#include <algorithm>
#include <memory>
#include <vector>

#include "kernels/cpu/parallel.h"
#include "peer.h"

namespace crescendo::bench {

using namespace CRESCENDO_CPU;

namespace {

using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using View = Eigen::Map<Matrix>;

class EigenConvolution {
 public:
  EigenConvolution(const Conv2dGeometry& geometry, int threads)
      : g_(geometry),
        threads_(threads),
        x_(Matrix::Random(g_.n * g_.h * g_.w, g_.c)),
        weight_(Matrix::Random(g_.k, g_.r * g_.s * g_.c)),
        y_(Matrix::Random(g_.n * g_.p * g_.q, g_.k)),
        dweight_(g_.k, g_.r * g_.s * g_.c),
        windows_(static_cast<size_t>(threads), Matrix(g_.p * g_.q, g_.r * g_.s * g_.c)),
        sums_(static_cast<size_t>(threads), dweight_) {}

  void forward() {
    parallel_for(threads_, g_.n, [&](int64_t image, int thread) {
      output(image).noalias() = take_windows(image, thread) * weight_.transpose();
    });
  }

  void backward_data() {
    parallel_for(threads_, g_.n, [&](int64_t image, int thread) {
      if (windows_are_pixels()) {
        input(image).noalias() = output(image) * weight_;
        return;
      }
      Matrix& windows = windows_[static_cast<size_t>(thread)];
      windows.noalias() = output(image) * weight_;
      input(image).setZero();
      each_tap(image, [&](int64_t pixel, int64_t window, int64_t column) {
        x_.row(pixel) += windows.block(window, column, 1, g_.c);
      });
    });
  }

  void backward_weights() {
    for (Matrix& sum : sums_) sum.setZero();
    parallel_for(threads_, g_.n, [&](int64_t image, int thread) {
      sums_[static_cast<size_t>(thread)].noalias() += output(image).transpose() * take_windows(image, thread);
    });
    dweight_.setZero();
    for (const Matrix& sum : sums_) dweight_ += sum;
  }

 private:
  View input(int64_t image) { return {x_.row(image * g_.h * g_.w).data(), g_.h * g_.w, g_.c}; }
  View output(int64_t image) { return {y_.row(image * g_.p * g_.q).data(), g_.p * g_.q, g_.k}; }
  bool windows_are_pixels() const {
    return g_.r == 1 && g_.s == 1 && g_.stride_h == 1 && g_.stride_w == 1 && g_.p == g_.h && g_.q == g_.w &&
           g_.pad_top == 0 && g_.pad_left == 0;
  }

  // Calls f(row of x, row of windows, first column of windows) for each tap that lies inside the image.
  template <class F>
  void each_tap(int64_t image, const F& f) const {
    for (int64_t p = 0; p < g_.p; ++p)
      for (int64_t q = 0; q < g_.q; ++q)
        for (int64_t r = 0; r < g_.r; ++r)
          for (int64_t s = 0; s < g_.s; ++s) {
            const int64_t h = p * g_.stride_h + r - g_.pad_top, w = q * g_.stride_w + s - g_.pad_left;
            if (h >= 0 && h < g_.h && w >= 0 && w < g_.w)
              f((image * g_.h + h) * g_.w + w, p * g_.q + q, (r * g_.s + s) * g_.c);
          }
  }

  View take_windows(int64_t image, int thread) {
    if (windows_are_pixels()) return input(image);
    Matrix& windows = windows_[static_cast<size_t>(thread)];
    windows.setZero();
    each_tap(image, [&](int64_t pixel, int64_t window, int64_t column) {
      windows.block(window, column, 1, g_.c) = x_.row(pixel);
    });
    return {windows.data(), windows.rows(), windows.cols()};
  }

  Conv2dGeometry g_;
  Threads threads_;
  Matrix x_, weight_, y_, dweight_;
  std::vector<Matrix> windows_, sums_;  // one for each thread
};

}  // namespace

Call eigen_convolution(ConvolutionPass pass, const Conv2dGeometry& g, int threads) {
  const auto convolution = std::make_shared<EigenConvolution>(g, threads);
  switch (pass) {
    case ConvolutionPass::forward:
      return [convolution] { convolution->forward(); };
    case ConvolutionPass::backward_data:
      return [convolution] { convolution->backward_data(); };
    case ConvolutionPass::backward_weights:
      return [convolution] { convolution->backward_weights(); };
  }
  return {};
}

}  // namespace crescendo::bench

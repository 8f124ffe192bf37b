// Stand-ins for cuDNN and cuBLASLt: the processor's convolutions and plain loops, on activations of type T.
// They fill their workspace with NaN, so code that keeps values there gives wrong results in the tests.
#pragma once

#include <cstring>
#include <vector>

#include "kernels/cuda/library_kernels.h"
#include "support/run_kernel.h"

namespace crescendo::test {

// Bytes; no multiple of an alignment.
constexpr size_t kStandInWorkspace = 1000;
inline void spoil(void* workspace) { std::memset(workspace, 0xFF, kStandInWorkspace); }

template <class T>
class StandInConvolutions final : public cuda::ConvolutionLibrary {
 public:
  explicit StandInConvolutions(Backend& cpu) : cpu_(cpu) {}

  size_t workspace(const Conv2dGeometry&) override { return kStandInWorkspace; }

  void forward(const Conv2dGeometry& g, const void* x, const void* weight, void* y,
               void* workspace) override {
    Wide to(y, g.n * g.p * g.q * g.k);
    run(cpu_, Conv2dForward{.geometry = g, .x = inputs(g, x), .weight = {weights(g, weight)}, .y = to});
    to.write(y);
    spoil(workspace);
  }
  void backward_data(const Conv2dGeometry& g, const void* dy, const void* weight, void* dx, Write write,
                     void* workspace) override {
    Wide to(dx, g.n * g.h * g.w * g.c);
    run(cpu_,
        Conv2dBackwardData{
            .geometry = g, .dy = outputs(g, dy), .weight = weights(g, weight), .dx = to, .write = write});
    to.write(dx);
    spoil(workspace);
  }
  void backward_weight(const Conv2dGeometry& g, const void* x, const void* dy, void* dweight, Write write,
                       void* workspace) override {
    Wide to(dweight, g.k * g.r * g.s * g.c);
    run(cpu_,
        Conv2dBackwardWeight{
            .geometry = g, .x = inputs(g, x), .dy = outputs(g, dy), .dweight = to.reals(), .write = write});
    to.write(dweight);
    spoil(workspace);
  }

 private:
  // A copy of values in the processor's type.
  class Wide {
   public:
    Wide(const void* values, int64_t n)
        : values_(static_cast<const T*>(values), static_cast<const T*>(values) + n) {}
    operator activation*() { return reinterpret_cast<activation*>(values_.data()); }
    operator const activation*() const { return reinterpret_cast<const activation*>(values_.data()); }
    real* reals() { return values_.data(); }
    void write(void* to) const {
      for (size_t i = 0; i < values_.size(); ++i) static_cast<T*>(to)[i] = T(values_[i]);
    }

   private:
    std::vector<real> values_;
  };
  static Wide inputs(const Conv2dGeometry& g, const void* x) { return {x, g.n * g.h * g.w * g.c}; }
  static Wide weights(const Conv2dGeometry& g, const void* x) { return {x, g.k * g.r * g.s * g.c}; }
  static Wide outputs(const Conv2dGeometry& g, const void* x) { return {x, g.n * g.p * g.q * g.k}; }

  Backend& cpu_;
};

template <class T>
class StandInProducts final : public cuda::MatrixLibrary {
 public:
  size_t workspace() const override { return kStandInWorkspace; }

  void multiply(const cuda::MatrixProduct& product, const void* a, const void* b, void* c, Write write,
                void* workspace) override {
    if (product.real_c)
      multiply_to(product, static_cast<const T*>(a), static_cast<const T*>(b), static_cast<real*>(c), write);
    else
      multiply_to(product, static_cast<const T*>(a), static_cast<const T*>(b), static_cast<T*>(c), write);
    spoil(workspace);
  }

 private:
  template <class C>
  static void multiply_to(const cuda::MatrixProduct& p, const T* a, const T* b, C* c, Write write) {
    const auto a_at = [&](int64_t i, int64_t l) -> real {
      return p.transpose_a ? a[l * p.m + i] : a[i * p.k + l];
    };
    const auto b_at = [&](int64_t l, int64_t j) -> real {
      return p.transpose_b ? b[j * p.k + l] : b[l * p.n + j];
    };
    for (int64_t i = 0; i < p.m; ++i)
      for (int64_t j = 0; j < p.n; ++j) {
        real sum = 0;
        for (int64_t l = 0; l < p.k; ++l) sum += a_at(i, l) * b_at(l, j);
        C& to = c[i * p.n + j];
        to = C(write == Write::add ? to + sum : sum);
      }
  }
};

}  // namespace crescendo::test

// Interfaces of CUDA's libraries, as far as the backend uses them: convolutions without an epilogue, and
// matrix products. cuDNN (conv2d.h) and cuBLASLt (matmul.h) compute them on a GPU,
// stand-ins on the processor in the tests.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>

#include "kernels/geometry.h"
#include "kernels/real.h"

namespace crescendo::cuda {

// Convolutions of activations.
// None of the sizes may be zero. `workspace` points to workspace(geometry) bytes.
class ConvolutionLibrary {
 public:
  ConvolutionLibrary() = default;
  ConvolutionLibrary(const ConvolutionLibrary&) = delete;
  ConvolutionLibrary& operator=(const ConvolutionLibrary&) = delete;
  virtual ~ConvolutionLibrary() = default;

  // Returns the bytes of workspace that any pass needs, with either Write.
  virtual size_t workspace(const Conv2dGeometry&) = 0;
  // y = x * weight
  virtual void forward(const Conv2dGeometry&, const void* x, const void* weight, void* y,
                       void* workspace) = 0;
  // Let f = sum(y * dy): dx (=|+=) df/dx.
  virtual void backward_data(const Conv2dGeometry&, const void* dy, const void* weight, void* dx, Write,
                             void* workspace) = 0;
  // Let f = sum(y * dy) over one ghost batch, the first of x and dy: dweight (=|+=) df/dweight. The result
  // consists of activations, because cuDNN has no engine from bf16 to fp32.
  virtual void backward_weight(const Conv2dGeometry&, const void* x, const void* dy, void* dweight, Write,
                               void* workspace) = 0;
};

// C [m,n] = op(A) op(B) for op(A) [m,k] and op(B) [k,n]. A, B and C are stored row by row without gaps; op
// transposes what is stored if its flag is set. A and B consist of activations.
struct MatrixProduct {
  int64_t m, n, k;
  bool transpose_a, transpose_b;
  bool real_c;     // C consists of reals, otherwise of activations
  int64_t same_m;  // rows for which the algorithm is chosen, so that results do not depend on m

  auto operator<=>(const MatrixProduct&) const = default;
};

class MatrixLibrary {
 public:
  MatrixLibrary() = default;
  MatrixLibrary(const MatrixLibrary&) = delete;
  MatrixLibrary& operator=(const MatrixLibrary&) = delete;
  virtual ~MatrixLibrary() = default;

  // Returns the bytes of workspace that any product needs.
  virtual size_t workspace() const = 0;
  // C (=|+=) op(A) op(B). None of the sizes may be zero. `workspace` points to workspace() bytes.
  virtual void multiply(const MatrixProduct&, const void* a, const void* b, void* c, Write,
                        void* workspace) = 0;
};

}  // namespace crescendo::cuda

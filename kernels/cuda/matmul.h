// cuBLASLt's matrix products: row-major, sums in fp32; an algorithm for each shape, found once.
#pragma once

#include <cublasLt.h>
#include <cuda_runtime.h>

#include <cstdint>
#include <map>

#include "kernels/cuda/libraries.h"
#include "kernels/precision.h"
#include "kernels/real.h"

namespace crescendo::cuda {

// C [m,n] = op(A) op(B) for op(A) [m,k], op(B) [k,n], each stored without gaps, transposed where it says so.
// A and B are activations.
struct MatrixProduct {
  int64_t m, n, k;
  bool transpose_a, transpose_b;
  bool real_c;     // C is of type real, otherwise activations
  int64_t same_m;  // the algorithm is that for so many rows, so that results do not depend on m

  auto operator<=>(const MatrixProduct&) const = default;
};

class MatrixProducts {
 public:
  static constexpr size_t kWorkspace = size_t{32} << 20;  // bytes; what NVIDIA advises for its large devices

  MatrixProducts(Precision, cudaStream_t);

  // C (=|+=) op(A) op(B); none of the sizes is zero. `workspace` has kWorkspace bytes.
  void multiply(const MatrixProduct&, const void* a, const void* b, void* c, Write, void* workspace);

 private:
  using Operation = Owned<cublasLtMatmulDesc_t, cublasLtMatmulDescDestroy>;
  using Layout = Owned<cublasLtMatrixLayout_t, cublasLtMatrixLayoutDestroy>;
  // cuBLAS's matrices are column-major: it computes C^T = op(B)^T op(A)^T, of which B comes first.
  struct Plan {
    Operation operation;
    Layout b, a, c;
    cublasLtMatmulAlgo_t algorithm;
  };

  const Plan& plan(const MatrixProduct&);
  Plan make_plan(const MatrixProduct&) const;
  Plan describe(const MatrixProduct&) const;
  cublasLtMatmulAlgo_t choose_algorithm(const MatrixProduct&, const Plan&) const;
  bool takes(const Plan&, const cublasLtMatmulAlgo_t&) const;

  Precision precision_;
  cudaStream_t stream_;
  Owned<cublasLtHandle_t, cublasLtDestroy> handle_;
  std::map<MatrixProduct, Plan> plans_;
};

}  // namespace crescendo::cuda

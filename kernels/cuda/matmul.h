// cuBLASLt's matrix products: row-major, sums in fp32. The algorithm for a shape is chosen once.
#pragma once

#include <cublasLt.h>
#include <cuda_runtime.h>

#include <map>

#include "kernels/cuda/libraries.h"
#include "kernels/cuda/library_kernels.h"
#include "kernels/precision.h"

namespace crescendo::cuda {

class MatrixProducts final : public MatrixLibrary {
 public:
  static constexpr size_t kWorkspace = size_t{32} << 20;  // bytes; NVIDIA's advice for its large devices

  MatrixProducts(Precision, cudaStream_t);

  size_t workspace() const override { return kWorkspace; }
  void multiply(const MatrixProduct&, const void* a, const void* b, void* c, Write, void* workspace) override;

 private:
  using Operation = Owned<cublasLtMatmulDesc_t, cublasLtMatmulDescDestroy>;
  using Layout = Owned<cublasLtMatrixLayout_t, cublasLtMatrixLayoutDestroy>;
  // cuBLAS's matrices are column-major, so it computes C^T = op(B)^T op(A)^T: B comes first.
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

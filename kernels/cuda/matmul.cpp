#include "kernels/cuda/matmul.h"

#include <utility>

namespace crescendo::cuda {

namespace {

cublasLtHandle_t create_handle() {
  cublasLtHandle_t handle = nullptr;
  check(cublasLtCreate(&handle), "create");
  return handle;
}

cudaDataType_t activation_type(Precision precision) {
  return precision == Precision::bf16 ? CUDA_R_16BF : CUDA_R_32F;
}

int64_t activation_bytes(Precision precision) { return precision == Precision::bf16 ? 2 : 4; }

// Describes a row-major matrix [rows,columns], or its transpose, to cuBLAS. cuBLAS is column-major, so rows
// and columns change places.
cublasLtMatrixLayout_t row_major(cudaDataType_t type, int64_t rows, int64_t columns, bool transposed) {
  if (transposed) std::swap(rows, columns);
  cublasLtMatrixLayout_t layout = nullptr;
  check(cublasLtMatrixLayoutCreate(&layout, type, static_cast<uint64_t>(columns), static_cast<uint64_t>(rows),
                                   columns),
        "layout");
  return layout;
}

cublasLtMatmulDesc_t create_operation(Precision precision, bool transpose_first, bool transpose_second) {
  const auto type = precision == Precision::tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F;
  cublasLtMatmulDesc_t operation = nullptr;
  check(cublasLtMatmulDescCreate(&operation, type, CUDA_R_32F), "operation");
  const auto set = [&](cublasLtMatmulDescAttributes_t name, bool transpose) {
    const int32_t value = transpose ? CUBLAS_OP_T : CUBLAS_OP_N;
    check(cublasLtMatmulDescSetAttribute(operation, name, &value, sizeof(value)), "transpose");
  };
  set(CUBLASLT_MATMUL_DESC_TRANSA, transpose_first);
  set(CUBLASLT_MATMUL_DESC_TRANSB, transpose_second);
  return operation;
}

using Preference = Owned<cublasLtMatmulPreference_t, cublasLtMatmulPreferenceDestroy>;

template <class V>
void set(const Preference& preference, cublasLtMatmulPreferenceAttributes_t name, V value) {
  check(cublasLtMatmulPreferenceSetAttribute(preference.get(), name, &value, sizeof(value)), "preference");
}

// Restricts algorithms: sums split over blocks are added in order, in fp32, and operands may start at any row
// of a larger matrix.
Preference preference_for(const MatrixProduct& product, int64_t activation_bytes) {
  cublasLtMatmulPreference_t created = nullptr;
  check(cublasLtMatmulPreferenceCreate(&created), "preference");
  Preference preference(created);
  set(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, uint64_t{MatrixProducts::kWorkspace});
  set(preference, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK,
      uint32_t{CUBLASLT_REDUCTION_SCHEME_NONE | CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE});
  const auto align = [&](cublasLtMatmulPreferenceAttributes_t name, int64_t row, int64_t element) {
    set(preference, name, static_cast<uint32_t>(alignment_of_slices(row * element)));
  };
  const int64_t c_bytes = product.real_c ? static_cast<int64_t>(sizeof(real)) : activation_bytes;
  align(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, product.transpose_b ? product.k : product.n,
        activation_bytes);
  align(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, product.transpose_a ? product.m : product.k,
        activation_bytes);
  align(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, product.n, c_bytes);
  align(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, product.n, c_bytes);
  return preference;
}

}  // namespace

MatrixProducts::MatrixProducts(Precision precision, cudaStream_t stream)
    : precision_(precision), stream_(stream), handle_(create_handle()) {}

void MatrixProducts::multiply(const MatrixProduct& product, const void* a, const void* b, void* c,
                              Write write, void* workspace) {
  const Plan& p = plan(product);
  const float alpha = 1, beta = write == Write::add ? 1 : 0;
  check(cublasLtMatmul(handle_.get(), p.operation.get(), &alpha, b, p.b.get(), a, p.a.get(), &beta, c,
                       p.c.get(), c, p.c.get(), &p.algorithm, workspace, kWorkspace, stream_),
        "matrix product");
}

const MatrixProducts::Plan& MatrixProducts::plan(const MatrixProduct& product) {
  const auto found = plans_.find(product);
  if (found != plans_.end()) return found->second;
  return plans_.emplace(product, make_plan(product)).first->second;
}

MatrixProducts::Plan MatrixProducts::make_plan(const MatrixProduct& product) const {
  MatrixProduct same = product;
  same.m = product.same_m;
  Plan plan = describe(product);
  plan.algorithm = choose_algorithm(same, describe(same));
  if (!takes(plan, plan.algorithm)) plan.algorithm = choose_algorithm(product, plan);
  return plan;
}

MatrixProducts::Plan MatrixProducts::describe(const MatrixProduct& product) const {
  const cudaDataType_t type = activation_type(precision_);
  return {Operation(create_operation(precision_, product.transpose_b, product.transpose_a)),
          Layout(row_major(type, product.k, product.n, product.transpose_b)),
          Layout(row_major(type, product.m, product.k, product.transpose_a)),
          Layout(row_major(product.real_c ? CUDA_R_32F : type, product.m, product.n, false)),
          {}};
}

cublasLtMatmulAlgo_t MatrixProducts::choose_algorithm(const MatrixProduct& product, const Plan& plan) const {
  const Preference preference = preference_for(product, activation_bytes(precision_));
  cublasLtMatmulHeuristicResult_t result{};
  int found = 0;
  check(cublasLtMatmulAlgoGetHeuristic(handle_.get(), plan.operation.get(), plan.b.get(), plan.a.get(),
                                       plan.c.get(), plan.c.get(), preference.get(), 1, &result, &found),
        "choice of an algorithm");
  check(found > 0 ? result.state : CUBLAS_STATUS_NOT_SUPPORTED, "choice of an algorithm");
  return result.algo;
}

bool MatrixProducts::takes(const Plan& plan, const cublasLtMatmulAlgo_t& algorithm) const {
  cublasLtMatmulHeuristicResult_t result{};
  const cublasStatus_t status =
      cublasLtMatmulAlgoCheck(handle_.get(), plan.operation.get(), plan.b.get(), plan.a.get(), plan.c.get(),
                              plan.c.get(), &algorithm, &result);
  return status == CUBLAS_STATUS_SUCCESS && result.workspaceSize <= kWorkspace;
}

}  // namespace crescendo::cuda

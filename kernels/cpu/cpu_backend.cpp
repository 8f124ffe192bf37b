#include "kernels/cpu/cpu_backend.h"

#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <memory>
#include <new>

#include "base/huge_pages.h"
#include "kernels/cpu/visit.h"
#include "kernels/instruction_set.h"

namespace crescendo::CRESCENDO_CPU {

namespace {

constexpr std::align_val_t kAlignment{64};

}  // namespace

std::unique_ptr<Backend> make_backend(int threads, ConvolutionAlgorithm convolution) {
  return std::make_unique<CpuBackend>(threads, convolution);
}

CpuBackend::~CpuBackend() { release(workspace_, workspace_bytes_); }

std::string CpuBackend::name() const {
  std::string text = "CPU, ";
  text.append(name_of(InstructionSet::CRESCENDO_CPU)).append(", ").append(std::to_string(threads_.count()));
  return text.append(threads_.count() == 1 ? " thread" : " threads");
}

size_t CpuBackend::free_memory() const {
  return static_cast<size_t>(sysconf(_SC_AVPHYS_PAGES)) * static_cast<size_t>(sysconf(_SC_PAGESIZE));
}

void* CpuBackend::allocate(size_t bytes) {
  if (bytes > PTRDIFF_MAX) throw std::bad_alloc();
  void* block = ::operator new(bytes, kAlignment);
  prefer_huge_pages(block, bytes);
  return block;
}

void CpuBackend::release(void* block, size_t) { ::operator delete(block, kAlignment); }

void CpuBackend::upload(const void* host, void* to, size_t bytes) {
  if (bytes > 0) std::memcpy(to, host, bytes);
}

void CpuBackend::download(const void* from, void* host, size_t bytes) {
  if (bytes > 0) std::memcpy(host, from, bytes);
}

void CpuBackend::upload_activations(int64_t n, const float* host, activation* to) {
  real* y = values_of(to);
  each(n, [=](int64_t i) { y[i] = host[i]; });
}

void CpuBackend::download_activations(int64_t n, const activation* from, real* host) {
  const real* x = values_of(from);
  each(n, [=](int64_t i) { host[i] = x[i]; });
}

void CpuBackend::run(const KernelCall& call) {
  visit_call([this](const auto& one) { compute(one); }, call);
}

size_t CpuBackend::workspace(const KernelCall& call) const {
  const auto bytes = [this](const auto& one) -> size_t {
    if constexpr (requires { one.siblings; })
      return workspace_for(one.siblings);
    else if constexpr (requires { one.norm_geometry; })
      return workspace_for(one.geometry, one.norm_geometry);
    else if constexpr (requires { workspace_for(one.geometry); })
      return workspace_for(one.geometry);
    else
      return 0;
  };
  return visit_call(bytes, call);
}

void CpuBackend::reserve_workspace(size_t bytes) {
  if (bytes <= workspace_bytes_) return;
  release(workspace_, workspace_bytes_);
  workspace_ = nullptr;
  workspace_bytes_ = 0;
  workspace_ = allocate(bytes);
  workspace_bytes_ = bytes;
}

}  // namespace crescendo::CRESCENDO_CPU

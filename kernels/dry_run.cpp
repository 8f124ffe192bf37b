#include "kernels/dry_run.h"

#include <algorithm>
#include <cstring>
#include <new>

namespace crescendo {

namespace {

// Addresses start high and never come back, so that no two blocks share one.
constexpr uintptr_t kFirstAddress = uintptr_t{1} << 40;
constexpr size_t kAlignment = 64;
constexpr size_t kLargestBlock = size_t{1} << 60;

bool is_forward_pass(const KernelCall& call) {
  return std::holds_alternative<Conv2dForward>(call) || std::holds_alternative<SiblingConv2dForward>(call) ||
         std::holds_alternative<NormConv2dForward>(call) || std::holds_alternative<LinearForward>(call);
}

}  // namespace

void* DryRunBackend::allocate(size_t bytes) {
  if (bytes > kLargestBlock) throw std::bad_alloc();
  const uintptr_t address = kFirstAddress + next_address_;
  next_address_ += (std::max<size_t>(bytes, 1) + kAlignment - 1) / kAlignment * kAlignment;
  return reinterpret_cast<void*>(address);  // NOLINT(performance-no-int-to-ptr): it is never followed
}

void DryRunBackend::download(const void*, void* host, size_t bytes) {
  if (bytes > 0) std::memset(host, 0, bytes);
}

void DryRunBackend::download_activations(int64_t n, const activation*, real* host) {
  std::fill(host, host + n, real{0});
}

void DryRunBackend::run(const KernelCall& call) {
  const int64_t multiply_adds = work(call).multiply_adds;
  multiply_adds_ += multiply_adds;
  if (is_forward_pass(call)) forward_multiply_adds_ += multiply_adds;
}

}  // namespace crescendo

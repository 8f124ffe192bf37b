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

}  // namespace

std::string DryRunBackend::name() const { return "dry run of " + modelled_->name(); }

size_t DryRunBackend::activation_bytes() const { return modelled_->activation_bytes(); }

void* DryRunBackend::allocate(size_t bytes) {
  if (bytes > kLargestBlock) throw std::bad_alloc();
  const uintptr_t address = kFirstAddress + next_address_;
  next_address_ += (std::max<size_t>(bytes, 1) + kAlignment - 1) / kAlignment * kAlignment;
  return reinterpret_cast<void*>(address);  // NOLINT(performance-no-int-to-ptr): it is never followed
}

void DryRunBackend::release(void*, size_t) {}
void DryRunBackend::upload(const void*, void*, size_t) {}
void DryRunBackend::download(const void*, void* host, size_t bytes) {
  if (bytes > 0) std::memset(host, 0, bytes);
}
void DryRunBackend::upload_activations(int64_t, const float*, activation*) {}
void DryRunBackend::download_activations(int64_t n, const activation*, real* host) {
  std::fill(host, host + n, real{0});
}

size_t DryRunBackend::workspace(const Conv2dGeometry& g) const { return modelled_->workspace(g); }
size_t DryRunBackend::workspace(const BatchNormGeometry& g) const { return modelled_->workspace(g); }
size_t DryRunBackend::workspace(const Conv2dGeometry& g, const BatchNormGeometry& norm) const {
  return modelled_->workspace(g, norm);
}
size_t DryRunBackend::workspace(const LinearGeometry& g) const { return modelled_->workspace(g); }
size_t DryRunBackend::workspace(const BiasGeometry& g) const { return modelled_->workspace(g); }
void DryRunBackend::reserve_workspace(size_t) {}

int64_t DryRunBackend::packed_weight_size(const Conv2dGeometry& g) const {
  return modelled_->packed_weight_size(g);
}
void DryRunBackend::conv2d_forward(const Conv2dGeometry& g, const activation*, const ConvolutionWeight&,
                                   const ConvolutionEpilogue&, activation*) {
  forward_multiply_adds_ += g.multiply_adds();
}
void DryRunBackend::conv2d_backward_data(const Conv2dGeometry& g, const activation*, const activation*,
                                         activation*, Write) {
  backward_multiply_adds_ += g.multiply_adds();
}
void DryRunBackend::conv2d_backward_weight(const Conv2dGeometry& g, const activation*, const activation*,
                                           real*, Write) {
  backward_multiply_adds_ += g.multiply_adds();
}
bool DryRunBackend::fuses_norm(const Conv2dGeometry& g) const { return modelled_->fuses_norm(g); }
void DryRunBackend::norm_conv2d_forward(const Conv2dGeometry& g, const BatchNormGeometry&, const activation*,
                                        const NormOperands&, const activation*, const activation*,
                                        activation*, real*, real*) {
  forward_multiply_adds_ += g.multiply_adds();
}
void DryRunBackend::norm_conv2d_backward_weight(const Conv2dGeometry& g, const BatchNormGeometry&,
                                                const activation*, const NormOperands&, const activation*,
                                                real*, Write) {
  backward_multiply_adds_ += g.multiply_adds();
}
void DryRunBackend::norm_conv2d_backward_data(const Conv2dGeometry& g, const BatchNormGeometry&,
                                              const activation*, const NormOperands&, const activation*,
                                              const activation*, activation*, activation*, Write, real*,
                                              real*, Write) {
  backward_multiply_adds_ += g.multiply_adds();
}
void DryRunBackend::linear_forward(const LinearGeometry& g, const activation*, const activation*, const real*,
                                   activation*) {
  forward_multiply_adds_ += g.multiply_adds();
}
void DryRunBackend::linear_backward_data(const LinearGeometry& g, const activation*, const activation*,
                                         activation*, Write) {
  backward_multiply_adds_ += g.multiply_adds();
}
void DryRunBackend::linear_backward_weight(const LinearGeometry& g, const activation*, const activation*,
                                           real*, Write) {
  backward_multiply_adds_ += g.multiply_adds();
}

}  // namespace crescendo

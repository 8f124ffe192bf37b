#include "kernels/cuda/libraries.h"

#include <algorithm>
#include <stdexcept>
#include <string>
#include <string_view>

namespace crescendo::cuda {

namespace {

// Throws std::runtime_error with the first line of `words`.
[[noreturn]] void fail(const char* library, const char* what, std::string_view words) {
  words = words.substr(0, words.find('\n'));
  throw std::runtime_error(
      std::string("cuda: ").append(library).append(": ").append(what).append(": ").append(words));
}

cudnnBackendDescriptor_t create(cudnnBackendDescriptorType_t type) {
  cudnnBackendDescriptor_t descriptor = nullptr;
  check(cudnnBackendCreateDescriptor(type, &descriptor), "descriptor");
  return descriptor;
}

}  // namespace

void check(cudnnStatus_t status, const char* what) {
  if (status == CUDNN_STATUS_SUCCESS) return;
  constexpr size_t kMostWords = 512;
  char words[kMostWords] = "";
  cudnnGetLastErrorString(words, kMostWords);
  fail("cuDNN", what, words[0] == '\0' ? cudnnGetErrorString(status) : words);
}

void check(cublasStatus_t status, const char* what) {
  if (status != CUBLAS_STATUS_SUCCESS) fail("cuBLASLt", what, cublasLtGetStatusString(status));
}

int64_t alignment_of_slices(int64_t bytes) {
  int64_t alignment = kMostAlignment;
  while (bytes % alignment != 0) alignment /= 2;
  return alignment;
}

Descriptor::Descriptor(cudnnBackendDescriptorType_t type) : state_(std::make_shared<State>()) {
  state_->descriptor.reset(create(type));
}

void Descriptor::set(cudnnBackendAttributeName_t name, const Descriptor& value) {
  set(name, std::vector<Descriptor>{value});
}

void Descriptor::set(cudnnBackendAttributeName_t name, const std::vector<Descriptor>& values) {
  std::vector<cudnnBackendDescriptor_t> descriptors;
  for (const Descriptor& value : values) {
    descriptors.push_back(value.get());
    state_->parts.push_back(value.state_);
  }
  set(name, CUDNN_TYPE_BACKEND_DESCRIPTOR, static_cast<int64_t>(descriptors.size()), descriptors.data());
}

// NOLINTNEXTLINE(readability-make-member-function-const): it changes what cuDNN holds
void Descriptor::set(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, int64_t count,
                     const void* values) {
  check(cudnnBackendSetAttribute(get(), name, type, count, values), "attribute");
}

// NOLINTNEXTLINE(readability-make-member-function-const)
void Descriptor::finalise() { check(cudnnBackendFinalize(get()), "finalise"); }

int64_t Descriptor::get(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, int64_t most,
                        void* values) const {
  int64_t count = 0;
  check(cudnnBackendGetAttribute(get(), name, type, most, &count, values), "attribute");
  return std::min(count, most);
}

std::vector<Descriptor> Descriptor::get_descriptors(cudnnBackendAttributeName_t name,
                                                    cudnnBackendDescriptorType_t type, int64_t most) const {
  std::vector<Descriptor> descriptors;
  std::vector<cudnnBackendDescriptor_t> room;  // cuDNN fills descriptors that the caller makes
  room.reserve(static_cast<size_t>(most));
  for (int64_t i = 0; i < most; ++i) room.push_back(descriptors.emplace_back(type).get());
  const int64_t count = get(name, CUDNN_TYPE_BACKEND_DESCRIPTOR, most, room.data());
  while (static_cast<int64_t>(descriptors.size()) > count) descriptors.pop_back();
  return descriptors;
}

int64_t Descriptor::count_descriptors(cudnnBackendAttributeName_t name) const {
  int64_t count = 0;
  check(cudnnBackendGetAttribute(get(), name, CUDNN_TYPE_BACKEND_DESCRIPTOR, 0, &count, nullptr),
        "attribute");
  return count;
}

}  // namespace crescendo::cuda

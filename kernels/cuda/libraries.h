// Shared tools for cuDNN and cuBLASLt: checks, owners of handles, and cuDNN's descriptors.
#pragma once

#include <cublasLt.h>
#include <cuda_runtime.h>
#include <cudnn.h>

#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

#include "kernels/cuda/check.h"

namespace crescendo::cuda {

// Throw std::runtime_error with the library's message.
void check(cudnnStatus_t status, const char* what);
void check(cublasStatus_t status, const char* what);

// Deletes a library's object by the library's function `destroy`.
template <auto destroy>
struct Destroyer {
  template <class Object>
  void operator()(Object* object) const {
    destroy(object);
  }
};
template <class Pointer, auto destroy>
using Owned = std::unique_ptr<std::remove_pointer_t<Pointer>, Destroyer<destroy>>;

// Alignment in bytes of every tensor. Libraries gain nothing from more.
constexpr int64_t kMostAlignment = 16;
// Returns the alignment, a power of two, of slices of a tensor that start at multiples of `bytes`.
int64_t alignment_of_slices(int64_t bytes);

// cuDNN's name for the type V of an attribute.
template <class V>
struct AttributeType;
template <cudnnBackendAttributeType_t type>
using TypeName = std::integral_constant<cudnnBackendAttributeType_t, type>;
template <>
struct AttributeType<int64_t> : TypeName<CUDNN_TYPE_INT64> {};
template <>
struct AttributeType<float> : TypeName<CUDNN_TYPE_FLOAT> {};
template <>
struct AttributeType<void*> : TypeName<CUDNN_TYPE_VOID_PTR> {};
template <>
struct AttributeType<cudnnHandle_t> : TypeName<CUDNN_TYPE_HANDLE> {};
template <>
struct AttributeType<cudnnDataType_t> : TypeName<CUDNN_TYPE_DATA_TYPE> {};
template <>
struct AttributeType<cudnnConvolutionMode_t> : TypeName<CUDNN_TYPE_CONVOLUTION_MODE> {};
template <>
struct AttributeType<cudnnBackendHeurMode_t> : TypeName<CUDNN_TYPE_HEUR_MODE> {};
template <>
struct AttributeType<cudnnBackendKnobType_t> : TypeName<CUDNN_TYPE_KNOB_TYPE> {};
template <>
struct AttributeType<cudnnBackendNumericalNote_t> : TypeName<CUDNN_TYPE_NUMERICAL_NOTE> {};

// A descriptor of cuDNN's graph API: its attributes are set, then it is finalised, then attributes can be
// read. It keeps the descriptors it was given alive, because cuDNN does not promise to. All functions throw
// std::runtime_error if cuDNN refuses.
class Descriptor {
 public:
  explicit Descriptor(cudnnBackendDescriptorType_t type);

  template <class V>
  void set(cudnnBackendAttributeName_t name, std::span<const V> values) {
    set(name, AttributeType<V>::value, static_cast<int64_t>(values.size()), values.data());
  }
  template <class V>
  void set(cudnnBackendAttributeName_t name, V value) {
    set(name, std::span<const V>(&value, 1));
  }
  void set(cudnnBackendAttributeName_t name, const Descriptor& value);
  void set(cudnnBackendAttributeName_t name, const std::vector<Descriptor>& values);

  void finalise();

  template <class V>
  std::vector<V> get(cudnnBackendAttributeName_t name, int64_t most) const {
    std::vector<V> values(static_cast<size_t>(most));
    values.resize(static_cast<size_t>(get(name, AttributeType<V>::value, most, values.data())));
    return values;
  }
  template <class V>
  V get(cudnnBackendAttributeName_t name) const {
    V value{};
    get(name, AttributeType<V>::value, 1, &value);
    return value;
  }
  // Returns up to `most` descriptors of the given type.
  std::vector<Descriptor> get_descriptors(cudnnBackendAttributeName_t name, cudnnBackendDescriptorType_t type,
                                          int64_t most) const;
  int64_t count_descriptors(cudnnBackendAttributeName_t name) const;

  cudnnBackendDescriptor_t get() const { return state_->descriptor.get(); }

 private:
  void set(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, int64_t count,
           const void* values);
  // Returns the number of values written.
  int64_t get(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, int64_t most,
              void* values) const;

  struct State {
    std::vector<std::shared_ptr<State>> parts;
    Owned<cudnnBackendDescriptor_t, cudnnBackendDestroyDescriptor> descriptor;  // destroyed before its parts
  };
  std::shared_ptr<State> state_;
};

}  // namespace crescendo::cuda

#include "kernels/cuda/module.h"

#include <cuda_runtime.h>

#include <stdexcept>
#include <string>

#include "kernels/cuda/cuda_backend.h"

namespace crescendo {

namespace {

// Major compute capability of the oldest devices that the kernels are compiled for
// (cmake/CrescendoCuda.cmake).
constexpr int kLeastMajor = 8;

struct DeviceCount {
  int count = 0;
  cudaError_t error;

  DeviceCount() : error(cudaGetDeviceCount(&count)) {
    if (error != cudaSuccess) {
      count = 0;
      cudaGetLastError();  // clears the error, so that no later call reports it again
    }
  }
};

void require_device(int index) {
  const DeviceCount devices;
  if (devices.count == 0) {
    const cudaError_t error = devices.error == cudaSuccess ? cudaErrorNoDevice : devices.error;
    throw std::invalid_argument(std::string("--device cuda: there is no CUDA device: ") +
                                cudaGetErrorString(error));
  }
  if (index >= 0 && index < devices.count) return;
  throw std::invalid_argument(
      "--device cuda:" + std::to_string(index) + ": there " +
      (devices.count == 1 ? "is 1 CUDA device" : "are " + std::to_string(devices.count) + " CUDA devices"));
}

void require_precision(const cudaDeviceProp& device, Precision precision) {
  if (device.major >= kLeastMajor) return;
  std::string who = "this program";  // its kernels need a newer device even in fp32
  if (precision != Precision::fp32) who = name_of(precision);
  throw std::invalid_argument(who + " needs compute capability " + std::to_string(kLeastMajor) + ".0, " +
                              device.name + " has " + std::to_string(device.major) + "." +
                              std::to_string(device.minor));
}

}  // namespace

extern "C" int crescendo_count_cuda_devices() { return DeviceCount().count; }

extern "C" Backend* crescendo_make_cuda_backend(int index, Precision precision,
                                                ConvolutionAlgorithm convolution) {
  require_device(index);
  cudaDeviceProp device{};
  cuda::check(cudaGetDeviceProperties(&device, index), "device properties");
  require_precision(device, precision);
  std::string name = "cuda: ";
  name.append(device.name).append(", ").append(name_of(precision));
  if (precision == Precision::bf16)
    return new cuda::CudaBackend<bf16>(index, std::move(name), precision, convolution);
  return new cuda::CudaBackend<float>(index, std::move(name), precision, convolution);
}

}  // namespace crescendo

#include "emulation/emulated_backend.h"
#include "support/run_devices.h"

namespace crescendo::test {
namespace {

template <class T>
Device emulated() {
  return Device(std::make_unique<EmulatedBackend<T>>(emulation::Schedule::warp_greedy));
}

}  // namespace

std::vector<RunDevice> run_devices() {
  return {{Precision::fp32, emulated<float>}, {Precision::bf16, emulated<bf16>}};
}

}  // namespace crescendo::test

// Kernel calls on a backend without an allocator, and their names in failure messages.
#pragma once

#include <doctest/doctest.h>

#include <string>

#include "kernels/backend.h"

namespace crescendo::test {

// Reserves the workspace that the call needs, and runs it.
inline void run(Backend& backend, const KernelCall& call) {
  backend.reserve_workspace(backend.workspace(call));
  backend.run(call);
}

}  // namespace crescendo::test

template <>
struct doctest::StringMaker<crescendo::KernelCall> {
  static String convert(const crescendo::KernelCall& call) {
    return std::string(crescendo::name_of(call)).c_str();
  }
};

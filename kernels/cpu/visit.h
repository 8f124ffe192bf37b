// A std::visit for this folder.
#pragma once

#include <cstddef>
#include <variant>

#include "kernels/kernel_call.h"

namespace crescendo::CRESCENDO_CPU {

// Returns f(the kind of call that `call` holds). std::visit would bring inline functions of the library along,
// compiled for this instruction set and shared by the linker with the rest of the program.
template <size_t I = 0, class F>
auto visit_call(const F& f, const KernelCall& call) {
  if constexpr (I + 1 < std::variant_size_v<KernelCall>)
    if (call.index() != I) return visit_call<I + 1>(f, call);
  return f(*std::get_if<I>(&call));
}

}  // namespace crescendo::CRESCENDO_CPU

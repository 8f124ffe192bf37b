// The processor's instruction sets that the CPU kernels are compiled for, once each.
#pragma once

#include <string_view>
#include <vector>

namespace crescendo {

// automatic: the fastest of instruction_sets(). avx512 and avx2 mean the processors of x86-64-v4 and
// x86-64-v3, generic any the program runs on.
enum class InstructionSet { automatic, avx512, avx2, generic };

std::string_view name_of(InstructionSet);

// Those that this program has kernels for and this processor can run, the fastest first.
const std::vector<InstructionSet>& instruction_sets();

// Whether it is one of them, or automatic.
bool has_instruction_set(InstructionSet);

// What `automatic` stands for; any other is returned as it is. Throws std::invalid_argument, naming what
// there is, if it is not among instruction_sets().
InstructionSet resolved(InstructionSet);

}  // namespace crescendo

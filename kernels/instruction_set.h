// Instruction sets of the processor. The CPU kernels are compiled once for each of them.
#pragma once

#include <string_view>
#include <vector>

namespace crescendo {

// avx512 is x86-64-v4, avx2 is x86-64-v3, and generic is what every processor that runs the program has.
// automatic is the fastest of instruction_sets().
enum class InstructionSet { automatic, avx512, avx2, generic };

// Returns the name as the user writes it; automatic is "auto".
std::string_view name_of(InstructionSet);

// Returns the instruction sets that this program has kernels for
// and this processor can run, the fastest first.
const std::vector<InstructionSet>& instruction_sets();

// Returns true if the set is among instruction_sets(). For automatic, returns true if there is any.
bool has_instruction_set(InstructionSet);

// Returns the fastest instruction set for automatic, and any other set unchanged. Throws
// std::invalid_argument, which lists the available sets, if the set is not among instruction_sets().
InstructionSet resolved(InstructionSet);

}  // namespace crescendo

#include "kernels/instruction_set.h"

#include <algorithm>
#include <iterator>
#include <stdexcept>
#include <string>

namespace crescendo {

namespace {

// Instruction sets that the kernels are compiled for, the fastest first.
constexpr InstructionSet kCompiled[] = {
#ifdef CRESCENDO_AVX512
    InstructionSet::avx512,
#endif
#ifdef CRESCENDO_AVX2
    InstructionSet::avx2,
#endif
#ifdef CRESCENDO_GENERIC
    InstructionSet::generic,
#endif
};

// Returns true if the processor has the instructions and the operating system saves the wide registers; the
// built-in functions check both.
bool processor_has(InstructionSet set) {
#if defined(__x86_64__)
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                    __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
  if (set == InstructionSet::avx2) return avx2;
  if (set == InstructionSet::avx512)
    return avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vl");
#endif
  return set == InstructionSet::generic;
}

}  // namespace

std::string_view name_of(InstructionSet set) {
  switch (set) {
    case InstructionSet::avx512:
      return "avx512";
    case InstructionSet::avx2:
      return "avx2";
    case InstructionSet::generic:
      return "generic";
    case InstructionSet::automatic:
      break;
  }
  return "auto";
}

const std::vector<InstructionSet>& instruction_sets() {
  static const std::vector<InstructionSet> sets = [] {
    std::vector<InstructionSet> found;
    std::copy_if(std::begin(kCompiled), std::end(kCompiled), std::back_inserter(found), processor_has);
    return found;
  }();
  return sets;
}

bool has_instruction_set(InstructionSet set) {
  const auto& sets = instruction_sets();
  return set == InstructionSet::automatic ? !sets.empty()
                                          : std::find(sets.begin(), sets.end(), set) != sets.end();
}

InstructionSet resolved(InstructionSet set) {
  if (has_instruction_set(set)) return set == InstructionSet::automatic ? instruction_sets().front() : set;
  std::string available;
  for (const InstructionSet one : instruction_sets())
    available.append(available.empty() ? "" : ", ").append(name_of(one));
  throw std::invalid_argument("instruction set " + std::string(name_of(set)) +
                              ": this program on this processor has " +
                              (available.empty() ? "none" : available));
}

}  // namespace crescendo

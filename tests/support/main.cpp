// Main function of the test programs. --instruction-set=NAME makes the kernel tests use that set; if this CPU
// does not have it, the program skips them (exit code 77). All other arguments are doctest's.
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <iostream>
#include <string_view>

#include "support/tested_backend.h"

int main(int argc, char** argv) {
  using namespace crescendo;
  constexpr std::string_view kFlag = "--instruction-set=";
  constexpr int kBadInput = 2, kSkipped = 77;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (!argument.starts_with(kFlag)) continue;
    const std::string_view name = argument.substr(kFlag.size());
    for (const auto set : {InstructionSet::avx512, InstructionSet::avx2, InstructionSet::generic})
      if (name_of(set) == name) test::tested_instruction_set = set;
    if (name_of(test::tested_instruction_set) != name) {
      std::cerr << "unknown instruction set: " << name << '\n';
      return kBadInput;
    }
    if (!has_instruction_set(test::tested_instruction_set)) {
      std::cerr << "skipped: this processor does not have " << name << '\n';
      return kSkipped;
    }
  }
  return doctest::Context(argc, argv).run();
}

// The choice among the instruction sets. This file compares no results: all tests of this folder run on each
// set, with the same references and tolerances.
#include "kernels/instruction_set.h"

#include <doctest/doctest.h>

#include <stdexcept>

#include "kernels/cpu/backend.h"

using namespace crescendo;

TEST_CASE("automatic is the first of the instruction sets, and each has a backend") {
  REQUIRE(!instruction_sets().empty());
  CHECK(resolved(InstructionSet::automatic) == instruction_sets().front());
  for (const InstructionSet set : instruction_sets()) {
    CAPTURE(name_of(set));
    CHECK(has_instruction_set(set));
    CHECK(resolved(set) == set);
    const std::string name = make_cpu_backend(1, ConvolutionAlgorithm::automatic, set)->name();
    CHECK(name == "CPU, " + std::string(name_of(set)) + ", 1 thread");
  }
}

TEST_CASE("what the processor does not have is refused by name") {
  for (const auto set : {InstructionSet::avx512, InstructionSet::avx2, InstructionSet::generic}) {
    if (has_instruction_set(set)) continue;
    CHECK_THROWS_WITH_AS(make_cpu_backend(1, ConvolutionAlgorithm::automatic, set),
                         doctest::Contains(std::string(name_of(set)).c_str()), std::invalid_argument);
  }
}

// Helpers of golden tests: the initial values, which the scripts make_*_golden.py use too, and comparisons
// with the tensors' digests in their files.
#pragma once

#include <doctest/doctest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "engine/parameters.h"
#include "golden/golden_values.h"

namespace crescendo::test {

using nlohmann::json;

inline json read_golden(const std::string& name) {
  std::ifstream file(CRESCENDO_SOURCE_DIR "/tests/golden/" + name);
  return json::parse(file);
}

// Returns a parameter's initial values. `stream` is its number in order of declaration.
inline std::vector<real> golden_initial_values(const Parameter& parameter, uint32_t stream) {
  const int64_t size = parameter.shape.elements();
  const double spread =
      parameter.kind == ParameterKind::weight ? golden_weight_scale(size / parameter.shape[0]) : 0.25;
  const double centre = parameter.kind == ParameterKind::norm && parameter.name.ends_with("weight") ? 1 : 0;
  std::vector<real> values;
  for (uint64_t i = 0; i < static_cast<uint64_t>(size); ++i)
    values.push_back(static_cast<real>(centre + spread * golden_value(stream, i)));
  return values;
}

inline void set_golden_values(ParameterStore& store) {
  uint32_t stream = 0;
  for (const auto& parameter : store.parameters())
    store.upload(store.values(), parameter->offset, golden_initial_values(*parameter, stream++));
  store.refresh_weight_copy();
}

inline double norm_of(const std::vector<real>& values) {
  double squares = 0;
  for (const real value : values) squares += static_cast<double>(value) * static_cast<double>(value);
  return std::sqrt(squares);
}

// Compares a tensor with its digest in the file: norm, product with a random vector, and eight elements.
// `tolerance` bounds the norm of the error, which is spread evenly over the elements.
inline void check_digest(const json& expected, uint32_t index, const std::vector<real>& values, double scale,
                         double tolerance) {
  double projection = 0;
  for (size_t i = 0; i < values.size(); ++i)
    projection += scale * static_cast<double>(values[i]) * golden_value(kProjectionStream + index, i);
  CHECK(std::abs(scale * norm_of(values) - expected["norm"].get<double>()) <= tolerance);
  CHECK(std::abs(projection - expected["projection"].get<double>()) <= tolerance);
  const double of_element = 4 * tolerance / std::sqrt(static_cast<double>(values.size()));
  for (uint64_t j = 0; j < expected["samples"].size(); ++j) {
    const size_t element = golden_word(kSampleStream + index, j) % values.size();
    CHECK(std::abs(scale * static_cast<double>(values[element]) - expected["samples"][j].get<double>()) <=
          of_element);
  }
}

// Compares all tensors of a flat buffer with one section of the file. Both must have the same names.
// tolerance(values, norm, index) returns the bound for the norm of a tensor's error.
template <class Items, class Tolerance>
void check_section(const json& expected, const Tensor& flat, const Items& items, double scale,
                   const Tolerance& tolerance) {
  CHECK(expected.size() == items.size());
  const std::vector<real> all = flat.to_host();
  uint32_t index = 0;
  for (const auto& item : items) {
    CAPTURE(item->name);
    REQUIRE(expected.contains(item->name));
    const json& digest = expected[item->name];
    const auto first = all.begin() + item->offset;
    const std::vector<real> values(first, first + item->shape.elements());
    check_digest(digest, index, values, scale, tolerance(values, digest["norm"].get<double>(), index));
    ++index;
  }
}

// Compares logits. `tolerance` is relative to the largest logit.
inline void check_logits(const json& expected, const std::vector<real>& logits, double tolerance) {
  REQUIRE(expected.size() * 10 == logits.size());
  double worst = 0, largest = 0;
  for (size_t i = 0; i < logits.size(); ++i) {
    const double value = expected[i / 10][i % 10];
    largest = std::max(largest, std::abs(value));
    worst = std::max(worst, std::abs(static_cast<double>(logits[i]) - value));
  }
  CHECK(worst <= tolerance * largest);
}

}  // namespace crescendo::test

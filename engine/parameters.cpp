#include "engine/parameters.h"

#include <algorithm>

#include "base/parallel_ranges.h"
#include "base/rng.h"

namespace crescendo {
namespace {

constexpr int64_t kAlignment = 64 / static_cast<int64_t>(sizeof(float));  // elements

int64_t aligned(int64_t elements) { return (elements + kAlignment - 1) / kAlignment * kAlignment; }

Tensor zeros(const Device& device, int64_t size) {
  Tensor tensor = Tensor::reals(device, {size});
  device.run(Fill{.n = size, .value = 0, .to = tensor.as_reals()});
  return tensor;
}

// Draws initial values. Element i is one of the four normal numbers drawn for (parameter, i / 4).
std::vector<real> initial_values(const Initial& initial, int64_t count, uint64_t key, uint64_t parameter) {
  std::vector<real> values(static_cast<size_t>(count), static_cast<real>(initial.value));
  if (initial.spread == 0) return values;
  const auto draw = [&](int64_t block) {
    const PhiloxWords words = random_words(key, parameter, static_cast<uint32_t>(block));
    const NormalPair a = normal_pair(words.word[0], words.word[1]);
    const NormalPair b = normal_pair(words.word[2], words.word[3]);
    const double deviates[4] = {a.first, a.second, b.first, b.second};
    for (int64_t j = 4 * block; j < std::min(4 * block + 4, count); ++j)
      values[static_cast<size_t>(j)] =
          static_cast<real>(initial.value + initial.spread * deviates[j - 4 * block]);
  };
  parallel_ranges((count + 3) / 4, [&](int64_t begin, int64_t end) {
    for (int64_t block = begin; block < end; ++block) draw(block);
  });
  return values;
}

}  // namespace

void ParameterStore::require_new(const std::string& name) const {
  const auto check = [&](const auto& items) {
    for (const auto& item : items) require(item->name != name, "parameters: ", name, " is declared twice");
  };
  check(parameters_);
  check(statistics_);
  check(ones_);
}

ParameterHandle ParameterStore::add_parameter(const std::string& name, const Shape& shape, ParameterKind kind,
                                              Initial initial) {
  require_new(name);
  auto parameter = std::make_shared<Parameter>();
  parameter->name = name;
  parameter->shape = shape;
  parameter->kind = kind;
  parameter->initial = initial;
  parameters_.push_back(parameter);
  return parameter;
}

StatisticHandle ParameterStore::add_statistic(const std::string& name, const Shape& shape, double initial) {
  require_new(name);
  auto statistic = std::make_shared<Statistic>();
  statistic->name = name;
  statistic->shape = shape;
  statistic->initial = initial;
  statistics_.push_back(statistic);
  return statistic;
}

ParameterHandle ParameterStore::add_ones(const std::string& name, int64_t count) {
  require_new(name);
  auto ones = std::make_shared<Parameter>();
  ones->name = name;
  ones->shape = {count};
  ones->kind = ParameterKind::norm;
  ones->initial = {.value = 1};
  ones_.push_back(ones);
  return ones;
}

void ParameterStore::allocate(const Device& device) {
  allocate_parameters(device);
  allocate_statistics(device);
  allocate_ones(device);
}

void ParameterStore::allocate_parameters(const Device& device) {
  int64_t size = 0;
  for (const bool norms : {false, true}) {
    if (norms) norm_begin_ = size;
    for (const auto& parameter : parameters_) {
      if ((parameter->kind == ParameterKind::norm) != norms) continue;
      parameter->offset = size;
      size += aligned(parameter->shape.elements());
    }
  }
  values_ = zeros(device, size);
  gradients_ = zeros(device, size);
  const bool needs_copy = device.backend().capabilities().activation_bytes != sizeof(real);
  if (needs_copy) weights_ = Tensor::activations(device, {size});
  for (const auto& parameter : parameters_) {
    const bool weight = parameter->kind == ParameterKind::weight;
    parameter->value =
        (weight && needs_copy ? weights_ : values_)
            .view(parameter->offset, parameter->shape, weight ? Element::activation : Element::real);
    parameter->value.bind_gradient(gradients_.view(parameter->offset, parameter->shape, Element::real));
  }
}

void ParameterStore::allocate_statistics(const Device& device) {
  int64_t statistics = 0;
  for (const auto& statistic : statistics_) {
    statistic->offset = statistics;
    statistics += aligned(statistic->shape.elements());
  }
  statistic_values_ = zeros(device, statistics);
  statistic_pending_ = zeros(device, statistics);
  for (const auto& statistic : statistics_) {
    statistic->value = statistic_values_.view(statistic->offset, statistic->shape, Element::real);
    statistic->pending = statistic_pending_.view(statistic->offset, statistic->shape, Element::real);
  }
}

void ParameterStore::allocate_ghost_gradients(int64_t ghosts) {
  ghost_gradients_ = zeros(values_.device(), checked_product(ghosts, size(), "parameters"));
  gradients_ = ghost_gradient(0);
  for (const auto& parameter : parameters_)
    parameter->value.bind_gradient(gradients_.view(parameter->offset, parameter->shape, Element::real),
                                   size());
}

void ParameterStore::bind_statistic_sums(const Tensor& sums) {
  statistic_pending_ = sums;
  for (const auto& statistic : statistics_)
    statistic->pending = sums.view(statistic->offset, statistic->shape, Element::sum);
}

// All ones share one block, and all their gradients, which nobody reads, another.
void ParameterStore::allocate_ones(const Device& device) {
  int64_t most = 0;
  for (const auto& ones : ones_) most = std::max(most, ones->shape.elements());
  if (most == 0) return;
  const Tensor values = zeros(device, most), unread = zeros(device, most);
  device.run(Fill{.n = most, .value = 1, .to = values.as_reals()});
  for (const auto& ones : ones_) {
    ones->value = values.view(0, ones->shape, Element::real);
    ones->value.bind_gradient(unread.view(0, ones->shape, Element::real));
  }
}

void ParameterStore::initialise(uint64_t seed) {
  const uint64_t key = random_key(seed, Purpose::initial_values);
  uint64_t index = 0;
  for (const auto& parameter : parameters_)
    upload(values_, parameter->offset,
           initial_values(parameter->initial, parameter->shape.elements(), key, index++));
  for (const auto& statistic : statistics_) {
    const std::vector<real> values(static_cast<size_t>(statistic->shape.elements()),
                                   static_cast<real>(statistic->initial));
    upload(statistic_values_, statistic->offset, values);
  }
  refresh_weight_copy();
}

std::string layer_of(const std::string& parameter) { return parameter.substr(0, parameter.rfind('.')); }

int64_t ParameterStore::parameter_count() const {
  int64_t count = 0;
  for (const auto& parameter : parameters_) count += parameter->shape.elements();
  return count;
}

activation* ParameterStore::weight_copy() const {
  return weights_.defined() ? weights_.as_activations() : nullptr;
}

std::vector<real> ParameterStore::download(const Tensor& flat, int64_t offset, int64_t count) const {
  std::vector<real> host(static_cast<size_t>(count));
  flat.device().backend().download(flat.as_reals() + offset, host.data(), host.size() * sizeof(real));
  return host;
}

void ParameterStore::upload(const Tensor& flat, int64_t offset, std::span<const real> values) {
  flat.device().backend().upload(values.data(), flat.as_reals() + offset, values.size_bytes());
}

Tensor ParameterStore::ghost_gradient(int64_t ghost) const {
  if (!ghost_gradients_.defined() && ghost == 0) return gradients_;
  return ghost_gradients_.view(ghost * size(), {size()}, Element::real);
}

void ParameterStore::refresh_weight_copy() {
  if (!weights_.defined()) return;
  const std::vector<real> host = values_.to_host();
  weights_.upload(std::vector<float>(host.begin(), host.end()));
}

void ParameterStore::forget_gradients() {
  for (const auto& parameter : parameters_) parameter->value.forget_gradient();
  for (const auto& ones : ones_) ones->value.forget_gradient();
}

void ParameterStore::note_gradients() {
  for (const auto& parameter : parameters_) parameter->value.gradient_slot();
  for (const auto& ones : ones_) ones->value.gradient_slot();
}

void ParameterStore::require_gradients() const {
  for (const auto& parameter : parameters_)
    if (!parameter->value.gradient().defined())
      throw std::logic_error("parameters: " + parameter->name + " received no gradient");
}

}  // namespace crescendo

// All parameters of a model in one flat buffer, their gradients in a second; running statistics in a third.
// A model declares what it needs by name; allocate() then lays everything out.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/tensor.h"

namespace crescendo {

enum class ParameterKind { weight, bias, norm };  // norm: scale and shift of a normalisation

// Initial values: normal(mean 0, spread = standard deviation) or everywhere `value` (spread 0).
struct Initial {
  double value = 0;
  double spread = 0;
};

// One named tensor of a store. Convolution weights are [out, r, s, in], linear ones [out, in].
struct Parameter {
  std::string name;
  Shape shape;
  ParameterKind kind = ParameterKind::weight;
  Initial initial;
  int64_t offset = 0;  // elements from the start of the flat buffer
  Tensor value;        // activation-typed for weights, real for bias and norm; defined after allocate()
};
using ParameterHandle = std::shared_ptr<const Parameter>;

// Running statistics: not trained, but part of the model. `pending` sums an update's ghosts in mean_of_ghosts
// mode.
struct Statistic {
  std::string name;
  Shape shape;
  double initial = 0;
  int64_t offset = 0;
  Tensor value, pending;
};
using StatisticHandle = std::shared_ptr<const Statistic>;

class ParameterStore {
 public:
  // Names must be new: throws std::invalid_argument otherwise. Only before allocate().
  ParameterHandle add_parameter(const std::string& name, const Shape&, ParameterKind, Initial);
  StatisticHandle add_statistic(const std::string& name, const Shape&, double initial);
  // Ones [count] where others have a parameter, of kind norm: not trained, and no part of the flat buffers.
  ParameterHandle add_ones(const std::string& name, int64_t count);

  // Lays out the flat buffers on `device`: norm parameters last, so that weight decay may stop before them.
  void allocate(const Device& device);
  // Fills every parameter and statistic with its initial values, drawn by (seed, parameter, element).
  void initialise(uint64_t seed);

  // In order of declaration.
  const std::vector<std::shared_ptr<Parameter>>& parameters() const { return parameters_; }
  const std::vector<std::shared_ptr<Statistic>>& statistics() const { return statistics_; }
  const std::vector<std::shared_ptr<Parameter>>& ones() const { return ones_; }
  int64_t parameter_count() const;  // without padding

  // The flat buffers; real, defined after allocate(). Each parameter starts on a 64-byte boundary; padding is
  // zero.
  const Tensor& values() const { return values_; }
  const Tensor& gradients() const { return gradients_; }
  const Tensor& statistic_values() const { return statistic_values_; }
  const Tensor& statistic_pending() const { return statistic_pending_; }
  activation* weight_copy()
      const;  // activation-typed weights the optimizer keeps current; null where they are `values`
  int64_t norm_begin() const { return norm_begin_; }  // offset of the first norm parameter
  int64_t size() const { return values_.size(); }     // with padding

  // Host copies by place in a flat buffer laid out like values() (or like statistic_values()).
  std::vector<real> download(const Tensor& flat, int64_t offset, int64_t count) const;
  void upload(const Tensor& flat, int64_t offset, std::span<const real> values) const;
  // After values() changed from outside (a checkpoint): brings weight_copy() up to date.
  void refresh_weight_copy() const;

  // The next gradient contribution of every parameter overwrites.
  void forget_gradients() const;
  // What a replayed backward pass did: every parameter's gradient is written.
  void note_gradients() const;
  // Throws std::logic_error naming the first parameter that received no gradient since forget_gradients().
  void require_gradients() const;

 private:
  void require_new(const std::string& name) const;
  void allocate_parameters(const Device& device);
  void allocate_statistics(const Device& device);
  void allocate_ones(const Device& device);

  std::vector<std::shared_ptr<Parameter>> parameters_;
  std::vector<std::shared_ptr<Statistic>> statistics_;
  std::vector<std::shared_ptr<Parameter>> ones_;
  Tensor values_, gradients_, weights_, statistic_values_, statistic_pending_;
  int64_t norm_begin_ = 0;
};

// A place in the tree of names: Scope(store)["layer1"]["0"]["conv1"].weight(...) -> "layer1.0.conv1.weight".
class Scope {
 public:
  explicit Scope(ParameterStore& store) : store_(&store) {}
  Scope operator[](const std::string& name) const { return Scope(*store_, prefix_ + name + "."); }

  ParameterHandle parameter(const std::string& name, const Shape& shape, ParameterKind kind,
                            Initial initial) const {
    return store_->add_parameter(prefix_ + name, shape, kind, initial);
  }
  StatisticHandle statistic(const std::string& name, const Shape& shape, double initial) const {
    return store_->add_statistic(prefix_ + name, shape, initial);
  }
  ParameterHandle ones(const std::string& name, int64_t count) const {
    return store_->add_ones(prefix_ + name, count);
  }

 private:
  Scope(ParameterStore& store, std::string prefix) : store_(&store), prefix_(std::move(prefix)) {}
  ParameterStore* store_;
  std::string prefix_;
};

}  // namespace crescendo

// The parameters of a model. A model declares them by name; allocate() then puts all values into one flat
// buffer, all gradients into a second, and all running statistics into a third.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/tensor.h"

namespace crescendo {

enum class ParameterKind { weight, bias, norm };  // norm: scale and shift of a normalisation

// Initial values: normally distributed with mean `value` and standard deviation `spread`.
struct Initial {
  double value = 0;
  double spread = 0;
};

// Returns the name of the layer that a parameter belongs to: "layer1.0.conv1" for "layer1.0.conv1.weight".
std::string layer_of(const std::string& parameter);

// One named tensor of a store. Convolution weights are [out, r, s, in], linear ones [out, in].
struct Parameter {
  std::string name;
  Shape shape;
  ParameterKind kind = ParameterKind::weight;
  Initial initial;
  int64_t offset = 0;  // position in the flat buffer, in elements
  Tensor value;        // weights: activations; bias and norm: reals; defined after allocate()
};
using ParameterHandle = std::shared_ptr<const Parameter>;

// A named running statistic: part of the model, but not trained. `pending` is the sum over the ghost batches
// of an update: an exact one after bind_statistic_sums(), otherwise reals, which
// RunningStatistics::mean_of_ghosts needs.
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
  // Declare a parameter or a statistic, before allocate().
  // Throw std::invalid_argument if the name is already in use.
  ParameterHandle add_parameter(const std::string& name, const Shape&, ParameterKind, Initial);
  StatisticHandle add_statistic(const std::string& name, const Shape&, double initial);
  // Declares ones [count] in place of a norm's scale. They are not trained and not in the flat buffers.
  ParameterHandle add_ones(const std::string& name, int64_t count);

  // Allocates the flat buffers on `device`. Norm parameters come last, so that weight decay can exclude them.
  void allocate(const Device& device);
  // Makes room for the gradients of several ghost batches one by one, each with the layout of values().
  void allocate_ghost_gradients(int64_t ghosts);
  // Makes the statistics' pending sums exact, in this tensor of sums with the layout of statistic_values().
  void bind_statistic_sums(const Tensor& sums);
  // Sets all parameters and statistics to their initial values, a function of (seed, parameter, element).
  void initialise(uint64_t seed);

  // All declared tensors, in order of declaration.
  const std::vector<std::shared_ptr<Parameter>>& parameters() const { return parameters_; }
  const std::vector<std::shared_ptr<Statistic>>& statistics() const { return statistics_; }
  const std::vector<std::shared_ptr<Parameter>>& ones() const { return ones_; }
  int64_t parameter_count() const;  // without padding

  // The flat buffers of reals, defined after allocate(). Each parameter starts at a multiple of 64 bytes;
  // padding is zero.
  const Tensor& values() const { return values_; }
  const Tensor& gradients() const { return gradients_; }
  // The gradient of one ghost batch of a micro-batch. Throws std::logic_error if there is no room for it.
  Tensor ghost_gradient(int64_t ghost) const;
  const Tensor& statistic_values() const { return statistic_values_; }
  const Tensor& statistic_pending() const { return statistic_pending_; }  // reals, or sums
  // Returns the copy of values() as activations, from which ops read weights and which the optimizer updates.
  // Returns null if activations are reals: ops then read weights from values().
  activation* weight_copy() const;
  int64_t norm_begin() const { return norm_begin_; }  // offset of the first norm parameter
  int64_t size() const { return values_.size(); }     // with padding

  // Copy elements from `offset` on of a flat buffer, which has the layout of values() or statistic_values(),
  // to and from the host.
  std::vector<real> download(const Tensor& flat, int64_t offset, int64_t count) const;
  void upload(const Tensor& flat, int64_t offset, std::span<const real> values);
  // Recomputes weight_copy() after values() were set, by a checkpoint for example.
  void refresh_weight_copy();

  // Lets the next contribution to each parameter's gradient overwrite it.
  void forget_gradients();
  // Marks all gradients as written, after a replayed backward pass.
  void note_gradients();
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
  Tensor values_, gradients_, ghost_gradients_, weights_, statistic_values_, statistic_pending_;
  int64_t norm_begin_ = 0;
};

// A prefix for names: Scope(store)["layer1"]["0"].parameter("weight", ...) declares "layer1.0.weight".
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

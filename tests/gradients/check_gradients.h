// Checks an op's backward pass against central differences, in double and with a random output gradient: with
// f = sum(y * dy), df/dx is measured as (f(x + h) - f(x - h)) / 2h. An output gradient of ones would be
// blind: under it the true input gradient of a batch norm and of a softmax is zero.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <vector>

#include "engine/ops.h"
#include "support/tensors.h"

namespace crescendo::test {

using Values = std::vector<double>;

inline Values uniform_values(uint32_t seed, int64_t count, double low = -1, double high = 1) {
  Values values = noise(count, seed);
  for (double& value : values) value = low + (high - low) * (value + 1) / 2;
  return values;
}

// Uniform in [-1, 1] but for a gap around zero, where a ReLU has its kink.
inline Values values_off_zero(uint32_t seed, int64_t count) {
  Values values = uniform_values(seed, count);
  for (double& value : values) value = std::copysign(0.1 + 0.9 * std::abs(value), value);
  return values;
}

// The padding below or to the right of an image that a geometry leaves unsaid.
inline int64_t padding_after(int64_t out, int64_t stride, int64_t window, int64_t before, int64_t in) {
  return std::max<int64_t>(0, (out - 1) * stride + window - before - in);
}

// A function of some tensors, to be differentiated with respect to each of them.
class GradientCheck {
 public:
  using Forward = std::function<Tensor(Tape&)>;

  GradientCheck(std::vector<Tensor> inputs, Forward forward, const TapeOptions& tape = {})
      : inputs_(std::move(inputs)), forward_(std::move(forward)), tape_(tape) {}

  // Magnitude of the rounding of one output, in units of epsilon: sqrt(length) for a reduction.
  GradientCheck& reduction_length(int64_t length) {
    reduction_length_ = static_cast<double>(length);
    return *this;
  }

  void run() {
    const Values y = output();
    dy_ = uniform_values(99, static_cast<int64_t>(y.size()));
    magnitude_ = 0;
    for (size_t i = 0; i < y.size(); ++i) magnitude_ += std::abs(y[i] * dy_[i]);
    const std::vector<Values> gradients = backward_over_nan();
    check_adding(gradients);
    for (size_t i = 0; i < inputs_.size(); ++i) {
      CAPTURE(i);
      check_elements(inputs_[i], gradients[i]);
      check_direction(inputs_[i], gradients[i]);
    }
  }

 private:
  static constexpr double kStep = 1e-5;
  static constexpr int64_t kMaxElements = 48;  // measured one by one; beyond that, a sample of so many

  Values output() const {
    Tape tape = Tape::training(tape_);
    return forward_(tape).to_host();
  }

  double f() const {
    const Values y = output();
    long double sum = 0;
    for (size_t i = 0; i < y.size(); ++i) sum += static_cast<long double>(y[i]) * dy_[i];
    return static_cast<double>(sum);
  }

  void backward() const {
    Tape tape = Tape::training(tape_);
    const Tensor y = forward_(tape);
    const Tensor dy(y.device(), y.shape(), y.element());
    set(dy, dy_);
    tape.backward(y, dy);
  }

  static void bind_home(const Tensor& input, const Values& values) {
    const Tensor bound = input.gradient_home()->home;
    const Tensor home(input.device(), input.shape(), bound.defined() ? bound.element() : input.element());
    set(home, values);
    input.bind_gradient(home);
  }

  // The first contribution to a gradient overwrites: whatever stood there must not show.
  std::vector<Values> backward_over_nan() const {
    for (const Tensor& input : inputs_) {
      bind_home(input, Values(static_cast<size_t>(input.size()), std::numeric_limits<double>::quiet_NaN()));
    }
    backward();
    std::vector<Values> gradients;
    for (const Tensor& input : inputs_) gradients.push_back(input.gradient().to_host());
    return gradients;
  }

  // A later contribution adds: noise that stood there must still be there.
  void check_adding(const std::vector<Values>& gradients) const {
    std::vector<Values> noise;
    for (size_t i = 0; i < inputs_.size(); ++i) {
      noise.push_back(uniform_values(1000 + static_cast<uint32_t>(i), inputs_[i].size()));
      bind_home(inputs_[i], noise[i]);
      inputs_[i].gradient_slot();  // counts as the first contribution
    }
    backward();
    for (size_t i = 0; i < inputs_.size(); ++i) {
      CAPTURE(i);
      const Values sum = inputs_[i].gradient().to_host();
      double worst = 0;
      for (size_t j = 0; j < sum.size(); ++j)
        worst = std::max(worst,
                         std::abs(sum[j] - noise[i][j] - gradients[i][j]) / (1 + std::abs(gradients[i][j])));
      CHECK(worst <= rounding());  // partial sums may round differently on top of the noise
    }
  }

  double rounding() const {
    return 8 * std::numeric_limits<double>::epsilon() * std::sqrt(reduction_length_) *
           std::max(1.0, magnitude_);
  }

  // The central difference along `direction` from the input's present values, with step h.
  double difference(const Tensor& input, const Values& values, const Values& direction, double h) const {
    const auto f_at = [&](double step) {
      Values moved = values;
      for (size_t i = 0; i < moved.size(); ++i) moved[i] += step * direction[i];
      set(input, moved);
      return f();
    };
    const double result = (f_at(h) - f_at(-h)) / (2 * h);
    set(input, values);
    return result;
  }

  // A central difference errs by h^2 f''' / 6 and by the rounding of f over h. The first is a third of how
  // much the difference changes when the step doubles;
  // if that is not small, the point is too near a kink to tell anything.
  void check_slope(const Tensor& input, const Values& values, const Values& direction,
                   double expected) const {
    const double measured = difference(input, values, direction, kStep);
    const double truncation = std::abs(difference(input, values, direction, 2 * kStep) - measured);
    const double roundoff = rounding() / kStep;
    REQUIRE(truncation <= 1e-5 * (1 + std::abs(measured)) + roundoff);
    CHECK(std::abs(expected - measured) <= truncation + roundoff);
  }

  void check_elements(const Tensor& input, const Values& gradient) const {
    const Values values = input.to_host();
    const int64_t count = std::min(input.size(), kMaxElements);
    for (int64_t sample = 0; sample < count; ++sample) {
      const auto element = static_cast<size_t>(sample * input.size() / count);
      CAPTURE(element);
      Values direction(values.size(), 0);
      direction[element] = 1;
      check_slope(input, values, direction, gradient[element]);
    }
  }

  // All elements at once: an error in one that no sample hit still shows.
  void check_direction(const Tensor& input, const Values& gradient) const {
    const Values values = input.to_host();
    const Values direction = uniform_values(7, input.size());
    double slope = 0;
    for (size_t i = 0; i < gradient.size(); ++i) slope += gradient[i] * direction[i];
    check_slope(input, values, direction, slope);
  }

  std::vector<Tensor> inputs_;
  Forward forward_;
  TapeOptions tape_;
  double reduction_length_ = 1, magnitude_ = 0;
  Values dy_;
};

}  // namespace crescendo::test

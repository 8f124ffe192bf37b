// Tensors: memory, views, transfers, and gradients.
#include "engine/tensor.h"

#include <doctest/doctest.h>

#include <limits>
#include <utility>

#include "support/tensors.h"
#include "support/tested_device.h"

namespace crescendo::test {
namespace {

size_t in_use(const Device& device) { return device.memory().use().in_use; }

}  // namespace

TEST_CASE("tensor: memory comes with the first owner and goes with the last") {
  const Device device = tested_device(1);
  {
    const Tensor a = Tensor::reals(device, {5, 3});
    CHECK(a.bytes() == 15 * sizeof(real));
    CHECK(in_use(device) == a.bytes());
    const Tensor b = a;
    CHECK(b.is(a));
    CHECK(in_use(device) == a.bytes());
    const Tensor c = Tensor::indices(device, {4});
    CHECK(in_use(device) == a.bytes() + 4 * sizeof(int32_t));
  }
  CHECK(in_use(device) == 0);
}

TEST_CASE("tensor: one without elements holds no memory and can be uploaded and read") {
  const Device device = tested_device(1);
  const Tensor empty = Tensor::activations(device, {0, 8, 8, 3});
  CHECK(empty.defined());
  CHECK(in_use(device) == 0);
  empty.upload(std::vector<float>{});
  CHECK(empty.to_host().empty());
  CHECK_FALSE(Tensor().defined());
}

TEST_CASE("tensor: what is uploaded comes back") {
  const Device device = tested_device(1);
  const std::vector<float> values{1.5F, -2, 0, 1e-20F, 3e30F, 7};
  for (const Element element : {Element::activation, Element::real}) {
    const Tensor tensor(device, {2, 3}, element);
    tensor.upload(values);
    CHECK(tensor.to_host() == std::vector<real>(values.begin(), values.end()));
  }
  CHECK(make_indices(device, {3, -1, 2}).indices_to_host() == std::vector<int32_t>{3, -1, 2});
}

TEST_CASE("tensor: rejects the wrong number of values and impossible sizes") {
  const Device device = tested_device(1);
  const Tensor tensor = Tensor::reals(device, {2, 3});
  CHECK_THROWS_WITH_AS(tensor.upload(std::vector<float>(5)), "tensor: 5 values for shape [2, 3]",
                       std::invalid_argument);
  CHECK_THROWS_AS(Tensor::indices(device, {2}).upload(std::vector<int32_t>(3)), std::invalid_argument);
  CHECK_THROWS_AS(Tensor::reals(device, {int64_t{1} << 62}), std::invalid_argument);
  // A dry run refuses by itself. Under sanitizers, the system's allocation would abort.
  const Device dry = Device::dry_run(tested_device());
  CHECK_THROWS_AS(Tensor::reals(dry, {int64_t{1} << 59}), std::bad_alloc);
  CHECK(in_use(dry) == 0);
}

TEST_CASE("tensor: memory is only given out as what it holds") {
  const Device device = tested_device(1);
  const Tensor a = Tensor::activations(device, {2}), r = Tensor::reals(device, {2}),
               i = Tensor::indices(device, {2});
  CHECK_THROWS_AS(a.as_reals(), std::logic_error);
  CHECK_THROWS_AS(r.as_activations(), std::logic_error);
  CHECK_THROWS_AS(r.as_indices(), std::logic_error);
  CHECK_THROWS_AS(i.as_reals(), std::logic_error);
}

TEST_CASE("tensor: a view of channels knows its stride, and is refused where a contiguous tensor is needed") {
  const Device device = Device::cpu(1);
  const Tensor whole = Tensor::activations(device, {2, 3, 4, 7});
  const Tensor part = whole.channels(2, 3);
  CHECK(part.shape() == Shape{2, 3, 4, 3});
  CHECK(part.as_channels().pixel == 7);
  CHECK(part.as_channels().first == whole.view(2, {1}, Element::activation).as_activations());
  CHECK(whole.channels(0, 7).as_channels() == whole.as_channels());
  CHECK(whole.channels(0, 6).as_channels() == Tensor::Channels{whole.as_activations(), 7});
  CHECK_THROWS_AS(part.as_activations(), std::logic_error);
  CHECK_THROWS_AS(part.view(0, {1}, Element::activation), std::logic_error);
  CHECK_THROWS_AS(whole.channels(5, 3), std::logic_error);
  CHECK_THROWS_AS(whole.channels(-1, 3), std::logic_error);
  CHECK_THROWS_AS(Tensor::activations(device, {7}).channels(0, 3), std::logic_error);
  CHECK(Tensor::activations(device, {5, 7}).as_channels().pixel == 7);
  CHECK_THROWS_AS(Tensor::reals(device, {2, 3, 4, 7}).as_channels(), std::logic_error);
  CHECK(Tensor::activations(device, {0, 3, 4, 7}).channels(2, 3).as_channels().first == nullptr);
  CHECK_FALSE(part.is_sole_owner());
  CHECK(part.is_channels());
  CHECK_FALSE(whole.is_channels());
}

TEST_CASE("tensor: a view of channels arrives contiguous on the host") {
  const Device device = tested_device(1);
  std::vector<real> values(2 * 1 * 2 * 5);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<real>(i);
  const Tensor part = make_activations(device, {2, 1, 2, 5}, values).channels(1, 3);
  CHECK(part.to_host() == std::vector<real>{1, 2, 3, 6, 7, 8, 11, 12, 13, 16, 17, 18});
  CHECK(Tensor::activations(device, {0, 1, 2, 5}).channels(1, 3).to_host().empty());
}

TEST_CASE("tensor: channels take a gradient that is channels, and other tensors do not") {
  const Device device = tested_device(1);
  const Tensor whole = Tensor::activations(device, {1, 1, 2, 5}),
               gradient = Tensor::activations(device, {1, 1, 2, 5});
  const Tensor part = whole.channels(1, 3).without_memory(),
               apart = Tensor::activations(device, {1, 1, 2, 3});
  part.add_to_gradient(gradient.channels(2, 3));
  CHECK(part.gradient().as_channels() == gradient.channels(2, 3).as_channels());
  CHECK_THROWS_AS(apart.add_to_gradient(gradient.channels(2, 3)), std::logic_error);
}

TEST_CASE("tensor: a view is a part of the whole, and keeps it alive") {
  const Device device = tested_device(1);
  Tensor whole = make_reals(device, {6}, {0, 1, 2, 3, 4, 5});
  const Tensor part = whole.view(2, {3}, Element::real);
  CHECK(part.to_host() == std::vector<real>{2, 3, 4});
  set(part, {7, 8, 9});
  CHECK(whole.to_host() == std::vector<real>{0, 1, 7, 8, 9, 5});
  CHECK_THROWS_AS(whole.view(4, {3}, Element::real), std::logic_error);
  CHECK_THROWS_AS(whole.view(-1, {3}, Element::real), std::logic_error);
  whole = Tensor();
  CHECK(part.to_host() == std::vector<real>{7, 8, 9});
  CHECK(in_use(device) == 6 * sizeof(real));
}

TEST_CASE("tensor: the first gradient overwrites, later ones add, until it is forgotten") {
  const Device device = tested_device(1);
  const Tensor x = Tensor::activations(device, {3});
  CHECK_FALSE(x.needs_gradient());
  CHECK_FALSE(x.gradient().defined());
  const GradientSlot first = x.gradient_slot();
  CHECK(first.write == Write::overwrite);
  CHECK(first.gradient.shape() == x.shape());
  CHECK(first.gradient.element() == Element::activation);
  CHECK(x.gradient().is(first.gradient));
  CHECK(x.gradient_slot().write == Write::add);
  x.forget_gradient();
  CHECK_FALSE(x.gradient().defined());
  CHECK(x.gradient_slot().write == Write::overwrite);
  CHECK(x.gradient().is(first.gradient));  // the memory stays
}

TEST_CASE("tensor: a gradient that nobody else holds is taken as it is, any other is added") {
  const Device device = tested_device(1);
  const Tensor x = Tensor::activations(device, {3});
  Tensor first = make_activations(device, {3}, {1, 2, 3});
  const void* place = first.as_activations();
  {
    // Like the tape, which keeps only the gradient while backward runs.
    const Tensor only = std::exchange(first, Tensor());
    x.add_to_gradient(only);
  }
  CHECK(x.gradient().as_activations() == place);
  const Tensor second = make_activations(device, {3}, {10, 20, 30});
  x.add_to_gradient(second);
  CHECK(x.gradient().to_host() == std::vector<real>{11, 22, 33});

  const Tensor y = Tensor::activations(device, {3}), other_owner = second;
  y.add_to_gradient(second);
  CHECK_FALSE(y.gradient().is(second));
  y.add_to_gradient(second);
  CHECK(y.gradient().to_host() == std::vector<real>{20, 40, 60});
  CHECK(second.to_host() == std::vector<real>{10, 20, 30});

  const Tensor z = Tensor::activations(device, {3}), home = make_activations(device, {3}, {5, 5, 5});
  z.bind_gradient(home);
  z.add_to_gradient(make_activations(device, {3}, {1, 2, 3}));
  CHECK(home.to_host() == std::vector<real>{1, 2, 3});
}

TEST_CASE("tensor: a bound gradient is where contributions go") {
  const Device device = tested_device(1);
  const Tensor x = Tensor::activations(device, {3}), home = Tensor::reals(device, {3});
  x.bind_gradient(home);
  CHECK(x.needs_gradient());
  CHECK_FALSE(x.gradient().defined());
  const GradientSlot slot = x.gradient_slot();
  CHECK(slot.gradient.is(home));
  CHECK(slot.write == Write::overwrite);
}

TEST_CASE("tensor: without memory, the shape and the gradient remain") {
  const Device device = tested_device(1);
  Tensor x = Tensor::activations(device, {4, 5});
  x.set_needs_gradient(true);
  const Tensor shell = x.without_memory();
  CHECK(shell.needs_gradient());
  CHECK(shell.shape() == x.shape());
  const Tensor gradient = shell.gradient_slot().gradient;
  CHECK(x.gradient().is(gradient));
  const size_t both = in_use(device);
  const size_t bytes = x.bytes();
  x = Tensor();
  CHECK(in_use(device) == both - bytes);
}

}  // namespace crescendo::test

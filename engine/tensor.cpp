#include "engine/tensor.h"

#include <stdexcept>

namespace crescendo {
namespace {

size_t element_bytes(const Device& device, Element element) {
  switch (element) {
    case Element::activation:
      return device.backend().capabilities().activation_bytes;
    case Element::real:
      return sizeof(real);
    case Element::index:
      return sizeof(int32_t);
    case Element::sum:
      return sizeof(int64_t);
  }
  throw std::logic_error("tensor: no such element type");
}

}  // namespace

Tensor::Block::Block(const Device& d, const Shape& s, Element e)
    : device(d), shape(s), element(e), gradient(std::make_shared<Gradient>()) {}

Tensor::Block::~Block() {
  if (bytes) device.memory().release(memory, bytes);
}

Tensor::Tensor(const Device& device, const Shape& shape, Element element)
    : block_(std::make_shared<Block>(device, shape, element)) {
  const auto bytes = static_cast<size_t>(
      checked_product(shape.elements(), static_cast<int64_t>(element_bytes(device, element)), "tensor"));
  if (!bytes) return;
  block_->memory = device.memory().allocate(bytes);
  block_->bytes = bytes;
}

size_t Tensor::bytes() const { return static_cast<size_t>(size()) * element_bytes(device(), element()); }

activation* Tensor::as_activations() const {
  if (element() != Element::activation) throw std::logic_error("tensor: does not hold activations");
  if (block_->pixel != 0) throw std::logic_error("tensor: a view of channels is not contiguous");
  return static_cast<activation*>(block_->memory);
}

real* Tensor::as_reals() const {
  if (element() != Element::real) throw std::logic_error("tensor: does not hold reals");
  return static_cast<real*>(block_->memory);
}

int32_t* Tensor::as_indices() const {
  if (element() != Element::index) throw std::logic_error("tensor: does not hold indices");
  return static_cast<int32_t*>(block_->memory);
}

int64_t* Tensor::as_sums() const {
  if (element() != Element::sum) throw std::logic_error("tensor: does not hold sums");
  return static_cast<int64_t*>(block_->memory);
}

Tensor Tensor::view(int64_t offset, const Shape& shape, Element element) const {
  const size_t width = element_bytes(device(), element);
  const auto last = static_cast<size_t>(offset + shape.elements()) * width;
  if (offset < 0 || last > bytes() || block_->pixel != 0)
    throw std::logic_error("tensor: view outside its tensor");
  auto part = std::make_shared<Block>(device(), shape, element);
  part->memory = static_cast<char*>(block_->memory) + static_cast<size_t>(offset) * width;
  part->whole = block_;
  return Tensor(std::move(part));
}

Tensor Tensor::channels(int64_t first, int64_t count) const {
  const Shape& all = shape();
  if (all.rank() != 4 || first < 0 || count < 0 || first + count > all[3])
    throw std::logic_error("tensor: channels outside their tensor");
  Tensor part = view(0, {all[0], all[1], all[2], count}, Element::activation);
  const auto offset = static_cast<size_t>(first) * element_bytes(device(), Element::activation);
  if (size() > 0) part.block_->memory = static_cast<char*>(block_->memory) + offset;
  part.block_->pixel = all[3];
  return part;
}

Tensor::Channels Tensor::as_channels() const {
  if (element() != Element::activation) throw std::logic_error("tensor: does not hold activations");
  const int64_t all = shape().rank() == 0 ? 1 : shape()[shape().rank() - 1];
  return {static_cast<activation*>(block_->memory), is_channels() ? block_->pixel : all};
}

void Tensor::upload(std::span<const float> values) const {
  require(static_cast<int64_t>(values.size()) == size(), "tensor: ", values.size(), " values for shape ",
          shape());
  if (element() == Element::activation) {
    device().backend().upload_activations(size(), values.data(), as_activations());
  } else {
    const std::vector<real> wide(values.begin(), values.end());
    device().backend().upload(wide.data(), as_reals(), bytes());
  }
}

void Tensor::upload(std::span<const int32_t> values) const {
  require(static_cast<int64_t>(values.size()) == size(), "tensor: ", values.size(), " indices for shape ",
          shape());
  device().backend().upload(values.data(), as_indices(), bytes());
}

std::vector<real> Tensor::to_host() const {
  std::vector<real> host(static_cast<size_t>(size()));
  if (host.empty()) return host;
  if (is_channels()) {
    const std::vector<real> whole = Tensor(block_->whole).to_host();
    const auto first =
        static_cast<size_t>(static_cast<char*>(block_->memory) - static_cast<char*>(block_->whole->memory)) /
        element_bytes(device(), element());
    const auto count = static_cast<size_t>(shape()[3]), pixel = static_cast<size_t>(block_->pixel);
    for (size_t i = 0; i < host.size(); ++i) host[i] = whole[i / count * pixel + first + i % count];
    return host;
  }
  if (element() == Element::activation)
    device().backend().download_activations(size(), as_activations(), host.data());
  else
    device().backend().download(as_reals(), host.data(), bytes());
  return host;
}

std::vector<int32_t> Tensor::indices_to_host() const {
  std::vector<int32_t> host(static_cast<size_t>(size()));
  device().backend().download(as_indices(), host.data(), bytes());
  return host;
}

Tensor Tensor::without_memory() const {
  auto shell = std::make_shared<Block>(device(), shape(), element());
  shell->pixel = block_->pixel;
  shell->gradient = block_->gradient;
  return Tensor(std::move(shell));
}

bool Tensor::needs_gradient() const { return block_ && block_->gradient->needed; }

void Tensor::set_needs_gradient(bool needs) const { block_->gradient->needed = needs; }

GradientSlot Tensor::gradient_slot() const {
  Gradient& gradient = *block_->gradient;
  if (!gradient.home.defined()) gradient.home = Tensor(device(), shape(), element());
  const Write write = gradient.written ? Write::add : Write::overwrite;
  gradient.written = true;
  return {gradient.home, write};
}

void Tensor::add_to_gradient(const Tensor& gradient) const {
  Gradient& own = *block_->gradient;
  if (!own.written && !own.home.defined() &&
      (gradient.is_channels() ? is_channels() : gradient.is_sole_owner())) {
    own.home = gradient;
    own.written = true;
    return;
  }
  const auto [home, write] = gradient_slot();
  device().run(Scale{
      .n = size(), .factor = 1, .x = gradient.as_activations(), .y = home.as_activations(), .write = write});
}

Tensor Tensor::gradient() const { return block_->gradient->written ? block_->gradient->home : Tensor(); }

void Tensor::bind_gradient(const Tensor& home, int64_t ghost_stride) const {
  *block_->gradient = {home, true, false, ghost_stride};
}

int64_t Tensor::ghost_stride() const { return block_->gradient->ghost_stride; }

void Tensor::forget_gradient() const { block_->gradient->written = false; }

}  // namespace crescendo

// A shaped block of device memory, shared by value, and the gradient that belongs to it.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "engine/device.h"
#include "engine/shape.h"

namespace crescendo {

enum class Element { activation, real, index };  // index: int32

struct Gradient;
struct GradientSlot;
struct Moments;

class Tensor {
 public:
  Tensor() = default;
  // Uninitialised. Throws std::invalid_argument if the size in bytes does not fit, std::bad_alloc if memory
  // is short.
  Tensor(const Device& device, const Shape& shape, Element element);

  static Tensor activations(const Device& device, const Shape& shape) {
    return {device, shape, Element::activation};
  }
  static Tensor reals(const Device& device, const Shape& shape) { return {device, shape, Element::real}; }
  static Tensor indices(const Device& device, const Shape& shape) { return {device, shape, Element::index}; }

  bool defined() const { return block_ != nullptr; }
  bool is(const Tensor& other) const {
    return block_ == other.block_;
  }  // the very same tensor, not an equal one
  // Whether its memory is this handle's alone: no other handle, no view.
  bool is_sole_owner() const { return block_.use_count() == 1 && block_->whole == nullptr; }
  const Shape& shape() const { return block_->shape; }
  int64_t size() const { return block_->shape.elements(); }
  const Device& device() const { return block_->device; }
  Element element() const { return block_->element; }
  size_t bytes() const;

  // The memory, as what it holds; std::logic_error if it holds something else.
  activation* as_activations() const;
  real* as_reals() const;
  int32_t* as_indices() const;

  // Part of this tensor's memory, `offset` elements in; keeps the whole alive.
  Tensor view(int64_t offset, const Shape& shape, Element element) const;
  // Channels [first, first + count) of every pixel of activations [n,h,w,c], for ops that say they take such:
  // they do not lie side by side, so as_activations() and what rests on it throw std::logic_error.
  Tensor channels(int64_t first, int64_t count) const;
  bool is_channels() const { return block_->pixel != 0; }  // whether channels() made it
  // Of activations [..,c], such a part or not.
  struct Channels {
    activation* first;  // of the first pixel
    int64_t pixel;      // elements from one to the next
    bool operator==(const Channels&) const = default;
  };
  Channels as_channels() const;

  // Between the host and the device. The sizes must agree.
  void upload(std::span<const float> values) const;
  void upload(std::span<const int32_t> values) const;
  std::vector<real> to_host() const;
  std::vector<int32_t> indices_to_host() const;

  // ---- Gradient
  bool needs_gradient() const;
  void set_needs_gradient(bool needs) const;
  // Where a backward pass puts df/d(this): memory, made on first use, and whether to overwrite it (the first
  // contribution) or add (all later ones). Call it once for each contribution.
  GradientSlot gradient_slot() const;
  // A contribution equal to `gradient`, in whose place it may be taken: of activations that nobody else
  // holds, the first contribution is the very same memory; and so it is of channels, which only a tensor that
  // is channels takes.
  void add_to_gradient(const Tensor& gradient) const;
  // Without claiming a contribution; undefined before the first.
  Tensor gradient() const;
  // Gives the gradient a fixed home (a parameter's place in the flat store) and marks it unwritten.
  void bind_gradient(const Tensor& home) const;
  void forget_gradient() const;  // the next contribution overwrites
  // The same shape and gradient without the memory, for ops whose backward does not read their input.
  Tensor without_memory() const;
  // The mean and variance [ghosts, c] of each ghost batch, where the op that made the tensor took them by the
  // way; undefined tensors otherwise.
  const Moments& moments() const;
  void set_moments(const Moments& moments) const;
  // The gradient alone, which may outlive the tensor's own memory: what the tape keeps of an op's output.
  std::shared_ptr<Gradient> gradient_home() const { return block_->gradient; }

 private:
  struct Block {
    Block(const Device& device, const Shape& shape, Element element);
    Block(const Block&) = delete;
    Block& operator=(const Block&) = delete;
    ~Block();
    Device device;
    Shape shape;
    Element element;
    void* memory = nullptr;
    size_t bytes = 0;              // owned; 0 for a view
    std::shared_ptr<Block> whole;  // of a view
    int64_t pixel = 0;             // of channels(): elements from one to the next; else 0
    std::shared_ptr<Gradient> gradient;
    std::shared_ptr<const Moments> moments;
  };
  explicit Tensor(std::shared_ptr<Block> block) : block_(std::move(block)) {}
  std::shared_ptr<Block> block_;
};

struct Moments {
  Tensor mean, variance;
};

struct GradientSlot {
  Tensor gradient;
  Write write;
};

struct Gradient {
  Tensor home;  // undefined until the first contribution
  bool needed = false;
  bool written = false;
};

}  // namespace crescendo

// A tensor: a block of device memory with a shape, and its gradient.
// Copies of a Tensor share memory and gradient.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "engine/device.h"
#include "engine/shape.h"

namespace crescendo {

// Element types (kernels/real.h); index is int32, sum is int64 (kernels/exact_sum.h).
enum class Element { activation, real, index, sum };

struct Gradient;
struct GradientSlot;

class Tensor {
 public:
  Tensor() = default;
  // Allocates uninitialised memory. Throws std::invalid_argument if the size in bytes exceeds 64 bits,
  // std::bad_alloc if there is not enough memory.
  Tensor(const Device& device, const Shape& shape, Element element);

  static Tensor activations(const Device& device, const Shape& shape) {
    return {device, shape, Element::activation};
  }
  static Tensor reals(const Device& device, const Shape& shape) { return {device, shape, Element::real}; }
  static Tensor indices(const Device& device, const Shape& shape) { return {device, shape, Element::index}; }
  static Tensor sums(const Device& device, const Shape& shape) { return {device, shape, Element::sum}; }

  bool defined() const { return block_ != nullptr; }
  // Returns true if both are copies of one tensor.
  bool is(const Tensor& other) const { return block_ == other.block_; }
  // Returns true if there is no other copy of this tensor, and it is neither a view nor has one.
  bool is_sole_owner() const { return block_.use_count() == 1 && block_->whole == nullptr; }
  const Shape& shape() const { return block_->shape; }
  int64_t size() const { return block_->shape.elements(); }
  const Device& device() const { return block_->device; }
  Element element() const { return block_->element; }
  size_t bytes() const;

  // Return the memory. Throw std::logic_error if the tensor has another element type.
  activation* as_activations() const;
  real* as_reals() const;
  int32_t* as_indices() const;
  int64_t* as_sums() const;

  // Returns a tensor that shares part of this one's memory and keeps it alive. `offset` counts elements of
  // the view's type. Throws std::logic_error if the view would exceed this tensor, or if this tensor is
  // itself a view of channels.
  Tensor view(int64_t offset, const Shape& shape, Element element) const;
  // Returns a view of channels [first, first + count) of activations [n,h,w,c]. Throws std::logic_error if
  // there are no such channels. The view is not contiguous, so as_activations() and all that uses it throw
  // std::logic_error. The destination of an op (ops.h) is such a view.
  Tensor channels(int64_t first, int64_t count) const;
  bool is_channels() const { return block_->pixel != 0; }  // true for a result of channels()
  // The place of activations [..,c] in memory, contiguous or a view of channels.
  struct Channels {
    activation* first;  // first channel of the first pixel
    int64_t pixel;      // stride from one pixel to the next, in elements
    bool operator==(const Channels&) const = default;
  };
  Channels as_channels() const;

  // Copy between host and device, and wait for it. upload() throws std::invalid_argument unless there are
  // size() values; to_host() is for activations and reals.
  void upload(std::span<const float> values) const;
  void upload(std::span<const int32_t> values) const;
  std::vector<real> to_host() const;
  std::vector<int32_t> indices_to_host() const;

  // ---- Gradient
  bool needs_gradient() const;
  void set_needs_gradient(bool needs) const;
  // Returns the memory for df/d(this), allocated on first use, and whether to overwrite it (first
  // contribution) or to add to it (all later ones). A backward pass calls this once for each contribution.
  GradientSlot gradient_slot() const;
  // Contributes `gradient`. The first contribution takes over the memory of `gradient` instead of copying it,
  // if nothing else uses that memory. A view of channels is also taken over, but only by a tensor that is a
  // view of channels.
  void add_to_gradient(const Tensor& gradient) const;
  // Returns the gradient so far; undefined before the first contribution.
  Tensor gradient() const;
  // Sets the gradient's memory (for a parameter: its part of the flat buffer), and marks the gradient as
  // needed and not yet written. With a ghost_stride, `home` is the gradient of the first ghost batch, and the
  // memory of the next one follows after so many elements.
  void bind_gradient(const Tensor& home, int64_t ghost_stride = 0) const;
  int64_t ghost_stride() const;  // 0: the ghost batches' gradients are added up
  void forget_gradient() const;  // the next contribution overwrites
  // Returns a tensor with the same shape and gradient, but no memory:
  // for ops whose backward does not read their input.
  Tensor without_memory() const;
  // The gradient without the tensor.
  // The tape keeps it for an op's output, whose memory may be released before.
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
    size_t bytes = 0;              // size of the memory that this block owns; 0 for a view
    std::shared_ptr<Block> whole;  // views: the block that owns the memory
    int64_t pixel = 0;             // views of channels: stride from one pixel to the next; otherwise 0
    std::shared_ptr<Gradient> gradient;
  };
  explicit Tensor(std::shared_ptr<Block> block) : block_(std::move(block)) {}
  std::shared_ptr<Block> block_;
};

// Memory for a contribution to a gradient, and how to write it. A parameter's kernels also need
// ghost_stride().
struct GradientSlot {
  Tensor gradient;
  Write write;
};

// The gradient of a tensor.
struct Gradient {
  Tensor home;               // its memory; undefined before the first contribution
  bool needed = false;       // backward passes compute it
  bool written = false;      // a contribution has been made, so the next one is added
  int64_t ghost_stride = 0;  // from one ghost batch's gradient to the next; 0: they are added up
};

}  // namespace crescendo

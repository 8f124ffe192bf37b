// y[..., offset_i + c] = x_i[..., c]. Backward: each part takes its own channels of dy. Saved: nothing. A
// part that is already a slice of y's channels is not copied, and its gradient is a slice of dy's channels.
#include "engine/ops.h"

namespace crescendo {
namespace {

// Returns the shape of the concatenation.
Shape concatenated(std::span<const Tensor> parts) {
  require(!parts.empty(), "concat_channels: needs at least one tensor");
  const Shape& first = parts[0].shape();
  int64_t channels = 0;
  for (const Tensor& part : parts) {
    const Shape& shape = part.shape();
    require(shape.rank() == 4 && shape[0] == first[0] && shape[1] == first[1] && shape[2] == first[2],
            "concat_channels: ", shape, " does not fit beside ", first, "; all but the channels must agree");
    channels += shape[3];
  }
  return {first[0], first[1], first[2], channels};
}

// Writes to y, which has the shape of the concatenation.
Tensor concatenate(Tape& tape, std::span<const Tensor> parts, const Tensor& y) {
  const Device& device = y.device();
  const int64_t rows = y.shape()[0] * y.shape()[1] * y.shape()[2], channels = y.shape()[3];
  struct Part {
    Tensor input;
    ChannelSlice slice;  // to y
  };
  std::vector<Part> placed;
  int64_t offset = 0;
  for (const Tensor& part : parts) {
    const int64_t count = part.shape()[3];
    const ChannelSlice slice{rows, count, count, 0, channels, offset};
    const bool in_place = part.is_channels() && part.as_channels() == y.channels(offset, count).as_channels();
    if (!in_place)
      device.run(CopyChannels{.geometry = slice,
                              .from = part.as_activations(),
                              .to = y.as_activations(),
                              .write = Write::overwrite});
    placed.push_back({part.without_memory(), slice});
    offset += count;
  }
  return tape.record("concat_channels", parts, y, [device, placed = std::move(placed)](const Tensor& dy) {
    for (const auto& [input, slice] : placed) {
      if (!input.needs_gradient()) continue;
      if (input.is_channels()) {
        input.add_to_gradient(dy.channels(slice.to_offset, slice.count));
        continue;
      }
      const auto [dx, write] = input.gradient_slot();
      const ChannelSlice back{slice.rows,      slice.count,         slice.to_channels,
                              slice.to_offset, slice.from_channels, slice.from_offset};
      device.run(CopyChannels{
          .geometry = back, .from = dy.as_activations(), .to = dx.as_activations(), .write = write});
    }
  });
}

}  // namespace

Tensor concat_channels(Tape& tape, std::span<const Tensor> parts) {
  const Shape shape = concatenated(parts);
  return concatenate(tape, parts, Tensor::activations(parts[0].device(), shape));
}

Concatenation::Concatenation(const Device& device, const Shape& shape) : shape_(shape) {
  if (device.backend().capabilities().stores_among_channels) result_ = Tensor::activations(device, shape);
}

Tensor Concatenation::slice(int64_t first, int64_t channels) const {
  return result_.defined() ? result_.channels(first, channels) : Tensor();
}

void Concatenation::add(const Tensor& part) { parts_.push_back(part); }

Tensor Concatenation::result(Tape& tape) const {
  const Shape shape = concatenated(parts_);
  require(shape == shape_, "concat_channels: parts of ", shape, " for ", shape_);
  return concatenate(tape, parts_,
                     result_.defined() ? result_ : Tensor::activations(parts_[0].device(), shape));
}

}  // namespace crescendo

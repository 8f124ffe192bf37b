// Kernels over n elements: pointwise ones, reductions of flat stores, optimizers.
#include "kernel_list_parts.h"
#include "operands.h"

namespace crescendo::bench {
namespace {

// One row of channels cut out of another twice as wide.
ChannelSlice half_of_channels(int64_t n) {
  constexpr int64_t kChannels = 64;
  return {.rows = n / kChannels,
          .count = kChannels,
          .from_channels = 2 * kChannels,
          .from_offset = kChannels,
          .to_channels = kChannels,
          .to_offset = 0};
}

DropoutGeometry half_dropped(int64_t n) { return {.n = 1, .elements = n, .key = 1, .layer = 0, .keep = 0.5}; }

OptimizerStep small_step(int64_t n) {
  return {.n = n, .decayed = n, .learning_rate = 1e-3, .weight_decay = 5e-4, .gradient_scale = 1.0 / 128};
}

}  // namespace

void add_pointwise(KernelList& list, int64_t n) {
  add(list, "relu_forward", text_of(n), streaming(n, 2), [n](Backend& b) -> Call {
    return [&b, n, x = Activations(b, n), y = Activations(b, n)] { b.relu_forward(n, x, y); };
  });
  add(list, "relu_backward", text_of(n), streaming(n, 3), [n](Backend& b) -> Call {
    return [&b, n, y = Activations(b, n), dy = Activations(b, n), dx = Activations(b, n)] {
      b.relu_backward(n, y, dy, dx, Write::overwrite);
    };
  });
  add(list, "scale_add", text_of(n), streaming(n, 3), [n](Backend& b) -> Call {
    return [&b, n, x = Activations(b, n), z = Activations(b, n), y = Activations(b, n)] {
      b.scale_add(n, x, 0.5, z, y);
    };
  });
  add(list, "scale", text_of(n), streaming(n, 2), [n](Backend& b) -> Call {
    return [&b, n, dy = Activations(b, n), dx = Activations(b, n)] {
      b.scale(n, 0.5, dy, dx, Write::overwrite);
    };
  });
}

void add_other_pointwise(KernelList& list, int64_t n) {
  add(list, "dropout", text_of(n), streaming(n, 2), [n](Backend& b) -> Call {
    return [&b, g = half_dropped(n), x = Activations(b, n), y = Activations(b, n)] {
      b.dropout(g, nullptr, x, y, Write::overwrite);
    };
  });
  const ChannelSlice slice = half_of_channels(n);
  add(list, "copy_channels", text_of(slice), streaming(slice.rows * slice.count, 2),
      [slice](Backend& b) -> Call {
        return [&b, slice, from = Activations(b, slice.rows * slice.from_channels),
                to = Activations(b, slice.rows * slice.to_channels)] {
          b.copy_channels(slice, from, to, Write::overwrite);
        };
      });
  add(list, "upload_activations", text_of(n), work_of_transfer(n), [n](Backend& b) -> Call {
    return [&b, n, host = std::vector<float>(static_cast<size_t>(n)), to = Activations(b, n)] {
      b.upload_activations(n, host.data(), to);
    };
  });
  add(list, "download_activations", text_of(n), work_of_transfer(n), [n](Backend& b) -> Call {
    return [&b, n, from = Activations(b, n), host = std::vector<real>(static_cast<size_t>(n))]() mutable {
      b.download_activations(n, from, host.data());
    };
  });
}

void add_flat(KernelList& list, int64_t n) {
  add(list, "fill", text_of(n), streaming_reals(n, 1),
      [n](Backend& b) -> Call { return [&b, n, to = Reals(b, n)] { b.fill(n, 1, to); }; });
  add(list, "fill_activations", text_of(n), streaming(n, 1),
      [n](Backend& b) -> Call { return [&b, n, to = Activations(b, n)] { b.fill_activations(n, 1, to); }; });
  add(list, "blend", text_of(n), streaming_reals(n, 3), [n](Backend& b) -> Call {
    return [&b, n, from = Reals(b, n), to = Reals(b, n)] { b.blend(n, 0.9, 0.1, from, to); };
  });
  add(list, "sum_of_squares", text_of(n), streaming_reals(n, 1), [n](Backend& b) -> Call {
    return [&b, n, x = Reals(b, n), result = Zeros<double>(b, 1)] {
      b.sum_of_squares(n, x, result, Write::overwrite);
    };
  });
  add(list, "check_finite", text_of(n), streaming_reals(n, 1), [n](Backend& b) -> Call {
    return [&b, n, x = Reals(b, n), counters = Zeros<StepCounters>(b, 1)] { b.check_finite(n, x, counters); };
  });
}

void add_optimizers(KernelList& list, int64_t n) {
  add(list, "sgd", text_of(n), work_of_update(n, 3), [n](Backend& b) -> Call {
    return [&b, step = small_step(n), gradients = Reals(b, n), values = Reals(b, n), copy = Copy(b, n)] {
      b.sgd(step, gradients, values, copy);
    };
  });
  add(list, "momentum", text_of(n), work_of_update(n, 5), [n](Backend& b) -> Call {
    return
        [&b, step = MomentumStep{small_step(n), 0.9, true}, gradients = Reals(b, n), values = Reals(b, n),
         velocity = Reals(b, n), copy = Copy(b, n)] { b.momentum(step, gradients, values, velocity, copy); };
  });
  add(list, "adam", text_of(n), work_of_update(n, 7), [n](Backend& b) -> Call {
    return [&b, step = AdamStep{small_step(n), 0.9, 0.999, 1e-8, 1}, gradients = Reals(b, n),
            values = Reals(b, n), first = Reals(b, n), second = Reals(b, n, real{1}),
            copy = Copy(b, n)] { b.adam(step, gradients, values, first, second, copy); };
  });
}

}  // namespace crescendo::bench

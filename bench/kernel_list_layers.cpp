// Batch norm, pooling and the loss.
#include "kernel_list_parts.h"
#include "operands.h"

namespace crescendo::bench {
namespace {

struct NormBuffers {
  Activations x, y;
  Reals scale, shift, mean, variance;
  NormBuffers(Backend& backend, const BatchNormGeometry& g)
      : x(backend, g.n * g.pixels * g.c),
        y(backend, g.n * g.pixels * g.c),
        scale(backend, g.c),
        shift(backend, g.c),
        mean(backend, g.ghosts() * g.c),
        variance(backend, g.ghosts() * g.c, real{1}) {
    backend.reserve_workspace(backend.workspace(g));
  }
};

struct PoolOperands {
  Activations x, y;
  PoolOperands(Backend& backend, const Pool2dGeometry& g)
      : x(backend, g.n * g.h * g.w * g.c), y(backend, g.n * g.p * g.q * g.c) {}
};

struct LossOperands {
  Activations logits, dlogits;
  Zeros<int32_t> labels, correct;
  Reals losses;
  LossOperands(Backend& backend, const CrossEntropyGeometry& g)
      : logits(backend, g.n * g.classes),
        dlogits(backend, g.n * g.classes),
        labels(backend, g.n),
        correct(backend, g.n),
        losses(backend, g.n) {}
};

}  // namespace

void add_batch_norm(KernelList& list, const BatchNormGeometry& g) {
  add(list, "ghost_moments", text_of(g), work_of(g, 1), [g](Backend& b) -> Call {
    return [&b, g, o = NormBuffers(b, g)] { b.ghost_moments(g, o.x, o.mean, o.variance); };
  });
  add(list, "ghost_batch_norm_backward", text_of(g), work_of(g, 3), [g](Backend& b) -> Call {
    return [&b, g, o = NormBuffers(b, g), dy = Activations(b, g.n * g.pixels * g.c), dscale = Reals(b, g.c),
            dshift = Reals(b, g.c)] {
      b.ghost_batch_norm_backward(g, o.x, dy, {o.scale, o.shift, o.mean, o.variance}, o.y, Write::overwrite,
                                  dscale, dshift, Write::overwrite);
    };
  });
  add(list, "normalise", text_of(g), work_of(g, 2), [g](Backend& b) -> Call {
    return [&b, g, o = NormBuffers(b, g)] {
      b.normalise(g, o.x, {o.scale, o.shift, o.mean, o.variance}, nullptr, o.y);
    };
  });
  add(list, "update_running_statistics", text_of(g), streaming_reals(2 * (g.ghosts() + 1) * g.c, 1),
      [g](Backend& b) -> Call {
        return [&b, g, o = NormBuffers(b, g), mean = Reals(b, g.c), variance = Reals(b, g.c)] {
          b.update_running_statistics(g, 0.9, 0.1, o.mean, o.variance, mean, variance);
        };
      });
}

void add_pooling(KernelList& list, const Pool2dGeometry& g) {
  add(list, "max_pool2d_forward", text_of(g), work_of(g, true), [g](Backend& b) -> Call {
    return [&b, g, o = PoolOperands(b, g), winners = Zeros<int32_t>(b, g.n * g.p * g.q * g.c)] {
      b.max_pool2d_forward(g, o.x, o.y, winners);
    };
  });
  add(list, "max_pool2d_backward", text_of(g), work_of(g, true), [g](Backend& b) -> Call {
    const PoolOperands o(b, g);
    const Zeros<int32_t> winners(b, g.n * g.p * g.q * g.c);
    b.max_pool2d_forward(g, o.x, o.y, winners);
    return [&b, g, o, winners] { b.max_pool2d_backward(g, o.y, winners, o.x, Write::overwrite); };
  });
  add(list, "average_pool2d_forward", text_of(g), work_of(g, false), [g](Backend& b) -> Call {
    return [&b, g, o = PoolOperands(b, g)] { b.average_pool2d_forward(g, o.x, o.y); };
  });
  add(list, "average_pool2d_backward", text_of(g), work_of(g, false), [g](Backend& b) -> Call {
    return [&b, g, o = PoolOperands(b, g)] { b.average_pool2d_backward(g, o.y, o.x, Write::overwrite); };
  });
}

void add_cross_entropy(KernelList& list, const CrossEntropyGeometry& g) {
  add(list, "softmax_cross_entropy_forward", text_of(g), work_of(g, 1), [g](Backend& b) -> Call {
    return [&b, g, o = LossOperands(b, g)] {
      b.softmax_cross_entropy_forward(g, o.logits, o.labels, o.losses, o.correct);
    };
  });
  add(list, "softmax_cross_entropy_backward", text_of(g), work_of(g, 2), [g](Backend& b) -> Call {
    return [&b, g, o = LossOperands(b, g)] {
      b.softmax_cross_entropy_backward(g, o.logits, o.labels, o.losses, o.dlogits, Write::overwrite);
    };
  });
}

}  // namespace crescendo::bench

// Convolutions by other libraries, for comparison. Each computes what our kernel does, in fp32, on its own
// operands.
#pragma once

#include <map>
#include <string>

#include "kernels/geometry.h"
#include "waiting.h"

namespace crescendo::bench {

enum class ConvolutionPass { forward, backward_data, backward_weights };

// onednn: a primitive on operands that lie in the layouts it likes best, reorders not timed; onednn_reorder:
// the same on operands in our layouts (NHWC, [k,r,s,c]), reorders timed. eigen: im2col and Eigen's matrix
// product.
enum class Peer { none, onednn, onednn_reorder, eigen };

// The peers of this build, by the names of --peer.
const std::map<std::string, Peer>& peers();
std::string version_of(Peer);  // "oneDNN 2.6.3"; empty for none

// Allocates operands and returns the call to be timed; undefined for Peer::none.
Call peer_convolution(Peer, ConvolutionPass, const Conv2dGeometry&, int threads);

// The parts of it, by library. Without oneDNN in the build, onednn_version() is empty and the call undefined.
Call eigen_convolution(ConvolutionPass, const Conv2dGeometry&, int threads);
Call onednn_convolution(ConvolutionPass, const Conv2dGeometry&, bool reorder);
std::string onednn_version();

}  // namespace crescendo::bench

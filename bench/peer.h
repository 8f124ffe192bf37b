// Convolutions by other libraries, for comparison.
// Each computes the same as our kernel, in fp32, on operands of its own.
#pragma once

#include <map>
#include <string>

#include "kernels/geometry.h"
#include "waiting.h"

namespace crescendo::bench {

enum class ConvolutionPass { forward, backward_data, backward_weights };

//   onednn          oneDNN's primitive, on operands in the layouts that it chooses
//   onednn_reorder  the same on operands in our layouts (NHWC, [k,r,s,c]); the time includes the reorders
//   eigen           im2col and Eigen's matrix product
enum class Peer { none, onednn, onednn_reorder, eigen };

// Returns the peers of this build, by their names for --peer.
const std::map<std::string, Peer>& peers();
std::string version_of(Peer);  // "oneDNN 2.6.3, its own layouts"; empty for Peer::none

// Allocates operands and returns the call to time; empty for Peer::none.
Call peer_convolution(Peer, ConvolutionPass, const Conv2dGeometry&, int threads);

// Do the same for one library each. In a build without oneDNN, onednn_version() and its call are empty.
Call eigen_convolution(ConvolutionPass, const Conv2dGeometry&, int threads);
Call onednn_convolution(ConvolutionPass, const Conv2dGeometry&, bool reorder, int threads);
std::string onednn_version();

}  // namespace crescendo::bench

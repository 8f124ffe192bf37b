#include "peer.h"

#include <fmt/format.h>

#include <Eigen/Core>

namespace crescendo::bench {

const std::map<std::string, Peer>& peers() {
  static const std::map<std::string, Peer> names = [] {
    std::map<std::string, Peer> all{{"none", Peer::none}, {"eigen", Peer::eigen}};
    if (!onednn_version().empty()) {
      all["onednn"] = Peer::onednn;
      all["onednn-reorder"] = Peer::onednn_reorder;
    }
    return all;
  }();
  return names;
}

std::string version_of(Peer peer) {
  switch (peer) {
    case Peer::none:
      return "";
    case Peer::onednn:
      return "oneDNN " + onednn_version() + ", its own layouts";
    case Peer::onednn_reorder:
      return "oneDNN " + onednn_version() + ", reordering from and to NHWC";
    case Peer::eigen:
      return fmt::format("Eigen {}.{}.{}, im2col", EIGEN_WORLD_VERSION, EIGEN_MAJOR_VERSION,
                         EIGEN_MINOR_VERSION);
  }
  return "";
}

Call peer_convolution(Peer peer, ConvolutionPass pass, const Conv2dGeometry& g, int threads) {
  switch (peer) {
    case Peer::none:
      return {};
    case Peer::onednn:
    case Peer::onednn_reorder:
      return onednn_convolution(pass, g, peer == Peer::onednn_reorder, threads);
    case Peer::eigen:
      return eigen_convolution(pass, g, threads);
  }
  return {};
}

}  // namespace crescendo::bench

#include "models/model.h"

#include <charconv>
#include <optional>
#include <string_view>

#include "models/inception_resnet_v2.h"
#include "models/resnet.h"
#include "models/wide_resnet.h"

namespace crescendo {
namespace {

constexpr const char* kInception = "inception-resnet-v2";

std::optional<int64_t> whole_number(std::string_view text) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) return {};
  return value;
}

// "wrn-16-4" -> WideResNet(16, 4)
std::unique_ptr<Model> make_wide_resnet(const std::string& name, const ModelOptions& options) {
  const std::string_view sizes = std::string_view(name).substr(4);
  const size_t dash = sizes.find('-');
  const auto depth = whole_number(sizes.substr(0, dash));
  const auto width = dash == std::string_view::npos ? std::nullopt : whole_number(sizes.substr(dash + 1));
  require(depth && width, "model ", name, ": expected wrn-DEPTH-WIDTH, e.g. wrn-16-4");
  require(*depth >= 10 && (*depth - 4) % 6 == 0 && *depth <= 10000, "model ", name, ": depth ", *depth,
          " is not 6n + 4 (10, 16, 22, 28, 34, 40, ...)");
  require(*width >= 1 && *width <= 1000, "model ", name, ": width must lie in 1 to 1000, got ", *width);
  return std::make_unique<WideResNet>(*depth, *width, options);
}

// "resnet-50" -> ResNet(50)
std::unique_ptr<Model> make_resnet(const std::string& name, const ModelOptions& options) {
  const auto depth = whole_number(std::string_view(name).substr(7));
  require(depth && ResNet::has_depth(*depth), "model ", name,
          ": expected resnet-18, resnet-34, resnet-50, resnet-101 or resnet-152");
  return std::make_unique<ResNet>(*depth, options);
}

void check_options(const std::string& name, const ModelOptions& options) {
  const bool resnet = name.starts_with("resnet-"), inception = name == kInception;
  require(options.classes >= 2, "model ", name, ": needs at least 2 classes, got ", options.classes);
  require(options.auxiliary_weight >= 0, "model ", name, ": auxiliary-weight: found ",
          options.auxiliary_weight, ", expected 0 or more");
  require(!options.zero_gamma || resnet, "model ", name,
          ": --zero-gamma is an option of ResNets only (resnet-50)");
  require(options.norm_scale || inception, "model ", name, ": --norm-scale off is an option of ", kInception,
          " only");
  require(options.auxiliary_weight == 0 || inception, "model ", name,
          ": has no auxiliary head: --auxiliary-weight is an option of ", kInception, " only");
}

std::unique_ptr<Model> make_by_name(const std::string& name, const ModelOptions& options) {
  if (name.starts_with("wrn-")) return make_wide_resnet(name, options);
  if (name.starts_with("resnet-")) return make_resnet(name, options);
  require(name == kInception, "unknown model \"", name,
          "\"; expected wrn-DEPTH-WIDTH (wrn-16-4), resnet-DEPTH (resnet-50) or ", kInception);
  return std::make_unique<InceptionResNetV2>(options);
}

}  // namespace

std::unique_ptr<Model> make_model(const std::string& name, const ModelOptions& options) {
  check_options(name, options);
  std::unique_ptr<Model> model = make_by_name(name, options);
  model->name = name;
  return model;
}

}  // namespace crescendo

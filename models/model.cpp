#include "models/model.h"

#include <charconv>
#include <optional>
#include <string_view>

#include "models/wide_resnet.h"

namespace crescendo {
namespace {

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

}  // namespace

std::unique_ptr<Model> make_model(const std::string& name, const ModelOptions& options) {
  require(options.classes >= 2, "model ", name, ": needs at least 2 classes, got ", options.classes);
  require(name.starts_with("wrn-"), "unknown model \"", name, "\"; expected wrn-DEPTH-WIDTH, e.g. wrn-16-4");
  std::unique_ptr<Model> model = make_wide_resnet(name, options);
  model->name = name;
  return model;
}

}  // namespace crescendo

// Loads the module that needs protobuf, which is not installed everywhere and which no training run needs.
#include "trainer/cli/onnx.h"

#include "base/check.h"
#include "base/module.h"

namespace crescendo {

std::string onnx_bytes(const Graph& graph) {
  std::string why;
  auto* const writer = reinterpret_cast<OnnxWriter*>(module_function(kOnnxModule, kOnnxWriter, why));
  require(writer != nullptr, "export: no ONNX: ", kOnnxModule,
          ", which is built where onnx and protobuf are found, does not load: ", why);
  std::string bytes;
  writer(graph, bytes);
  return bytes;
}

}  // namespace crescendo

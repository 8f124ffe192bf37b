// ONNX files, by the onnx library's protobuf classes.
#pragma once

#include <string>

#include "trainer/store/graph.h"

namespace crescendo {

// The bytes of a file that holds the graph; the number of images is left open. Throws std::invalid_argument
// saying that the program was built without ONNX.
std::string onnx_bytes(const Graph& graph);

// What does so in the module of onnx_protobuf.cpp.
inline constexpr const char* kOnnxModule = "libcrescendo_onnx.so";
inline constexpr const char* kOnnxWriter = "crescendo_write_onnx";
using OnnxWriter = void(const Graph& graph, std::string& bytes);

}  // namespace crescendo

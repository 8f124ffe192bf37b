// ONNX files, written with the protobuf classes of the onnx library.
#pragma once

#include <string>

#include "trainer/store/graph.h"

namespace crescendo {

// Returns the bytes of an ONNX file with the graph, for any number of images. Throws std::invalid_argument if
// the program was built without ONNX.
std::string onnx_bytes(const Graph& graph);

// The module of onnx_protobuf.cpp, and the name and type of its function.
inline constexpr const char* kOnnxModule = "libcrescendo_onnx.so";
inline constexpr const char* kOnnxWriter = "crescendo_write_onnx";
using OnnxWriter = void(const Graph& graph, std::string& bytes);

}  // namespace crescendo

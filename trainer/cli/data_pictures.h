// crescendo data verify, info and pack, for folders and packs of pictures.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace crescendo {

// Returns true if `path` is a folder or a pack of pictures, not CIFAR's files.
bool holds_pictures(const std::string& path);

// Decodes every picture and prints the numbers of pictures and every problem. Throws std::invalid_argument if
// there is a problem.
void verify_pictures(const std::string& path, const std::string& val_dir);

void add_info_command(CLI::App& data);
void add_pack_command(CLI::App& data);

}  // namespace crescendo

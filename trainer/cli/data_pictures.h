// crescendo data verify, info and pack, of folders and packs of pictures.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace crescendo {

// Whether `path` is one or the other, rather than CIFAR's files.
bool holds_pictures(const std::string& path);

// Decodes every picture; prints what there is and every problem. Throws std::invalid_argument if there is
// one.
void verify_pictures(const std::string& path, const std::string& val_dir);

void add_info_command(CLI::App& data);
void add_pack_command(CLI::App& data);

}  // namespace crescendo

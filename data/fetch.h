// Downloads an official CIFAR archive, checks it and unpacks it.
#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include "data/cifar_format.h"

namespace crescendo {

// The MD5 of a file in hexadecimal, by the program md5sum.
std::string file_md5(const std::filesystem::path&);

// Leaves the format's folder, verified, in `directory`, which is made if need be; an archive that lies there
// already is used instead of the network. `say` receives a line for each step. Throws std::invalid_argument
// with one line for whatever goes wrong, and then leaves nothing behind that was not there before.
void fetch_cifar(const CifarFormat&, const std::filesystem::path& directory,
                 const std::function<void(const std::string&)>& say);

}  // namespace crescendo

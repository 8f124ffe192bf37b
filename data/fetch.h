// Downloads an official CIFAR archive, checks it and unpacks it.
#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include "data/cifar_format.h"

namespace crescendo {

// Returns the MD5 of a file in hexadecimal, computed by the program md5sum.
std::string file_md5(const std::filesystem::path&);

// Downloads and unpacks the data set into `directory`, which is made if it does not exist, and verifies it.
// An archive that is already in `directory` is used instead of the network. `say` receives one line per step.
// After a failure, removes what it made and throws std::invalid_argument with one line.
void fetch_cifar(const CifarFormat&, const std::filesystem::path& directory,
                 const std::function<void(const std::string&)>& say);

}  // namespace crescendo

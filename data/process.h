// Runs another program, without a shell.
#pragma once

#include <string>
#include <vector>

namespace crescendo {

struct ProcessResult {
  int status = 0;      // exit status; 127 if the program does not exist, 128 + n if signal n killed it
  std::string output;  // its standard output
};

// Runs arguments[0], which is looked up in PATH, and waits for its end. Its standard error is passed on, or
// with `quiet` discarded.
ProcessResult run_process(const std::vector<std::string>& arguments, bool quiet);

}  // namespace crescendo

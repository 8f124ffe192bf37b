// Runs another program, without a shell.
#pragma once

#include <string>
#include <vector>

namespace crescendo {

struct ProcessResult {
  int status = 0;      // exit status; 127 if the program does not exist, 128 + n if signal n killed it
  std::string output;  // its standard output
};

// Runs arguments[0], which is looked up in PATH, and waits for its end. Passes its standard error on, or
// discards it if `quiet`. Throws std::system_error if no pipe can be made.
ProcessResult run_process(const std::vector<std::string>& arguments, bool quiet);

}  // namespace crescendo

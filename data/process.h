// Runs another program, by its arguments and without a shell.
#pragma once

#include <string>
#include <vector>

namespace crescendo {

struct ProcessResult {
  int status = 0;      // its exit status; 127 if there is no such program, 128 + signal if one killed it
  std::string output;  // what it wrote to standard output
};

// arguments[0] is looked up in PATH. Standard error is passed on, or with `quiet` thrown away.
ProcessResult run_process(const std::vector<std::string>& arguments, bool quiet);

}  // namespace crescendo

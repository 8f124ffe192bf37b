// Runs the program under mpirun, as a group of processes that ends as a whole.
#pragma once

#include <string>
#include <vector>

namespace crescendo {

// Where the workers run.
struct Launch {
  int64_t workers = 1;
  std::string hosts;                 // "node1:4,node2:4"; empty: this machine
  std::string host_file;             // instead of hosts
  std::vector<std::string> command;  // program and arguments
};

// Returns the command line of mpirun that starts the workers.
std::vector<std::string> mpirun_command(const Launch& launch);

// The messages of mpirun and its programs, line by line. mpirun's own come in frames of dashes. Of these it
// leaves out what the workers have said already, and says in one line which worker was killed.
class MpirunMessages {
 public:
  // Returns the lines to print when this line has come.
  std::vector<std::string> take(const std::string& line);

 private:
  bool in_frame_ = false;
  std::vector<std::string> frame_;
};

// Runs the command and returns its exit code, 128 + N for signal N. Signals that stop a run
// (trainer/signals.h) reach the workers as SIGUSR1; a second SIGINT or SIGTERM ends them. If a worker reports that another is lost, and
// mpirun is still there ten seconds later, ends the whole group.
int run_group(const std::vector<std::string>& command);

}  // namespace crescendo

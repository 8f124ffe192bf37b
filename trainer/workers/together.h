// What all workers must do, or know, together. Errors of one worker become errors of all, so that none waits
// for another in vain.
#pragma once

#include <functional>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "kernels/communicator.h"

namespace crescendo {

// An error that all workers throw at the same point; rank 0 reports it.
class SharedError : public std::runtime_error {
 public:
  SharedError(const std::string& message, int code) : std::runtime_error(message), exit_code(code) {}
  int exit_code;
};

// Returns the exit code that the program gives an error: 2 for bad input or an unusable file, 1 for others.
int exit_code_of(const std::exception& error);

// Returns "rank 3 on node17".
std::string worker_name(int rank, const std::string& host);
// Returns the names of all workers.
std::vector<std::string> worker_names(Communicator& workers);

// Calls work(), which does nothing collective, on each worker. If it throws on one, all throw SharedError with
// the message of the first such worker, and its name unless it failed on all alike. The only worker of a run
// throws its own exception.
void together(Communicator& workers, const std::function<void()>& work);

// Returns the texts of all workers, in order of rank.
std::vector<std::string> gather_texts(Communicator& workers, const std::string& mine);
// Returns the text of rank 0.
std::string broadcast_text(Communicator& workers, const std::string& text);

// Copies a plain value of rank 0 to all.
template <class T>
void broadcast_value(Communicator& workers, T& value) {
  workers.broadcast(std::as_writable_bytes(std::span(&value, 1)));
}
// Returns a plain value of each worker, in order of rank.
template <class T>
std::vector<T> gather_values(Communicator& workers, const T& mine) {
  std::vector<T> all(static_cast<size_t>(workers.size()));
  workers.gather(std::as_bytes(std::span(&mine, 1)), std::as_writable_bytes(std::span(all)));
  return all;
}

}  // namespace crescendo

#include "trainer/record/console.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio_ext.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <stdexcept>

namespace crescendo {
namespace {

int output_error = 0;  // errno of the first failure

void note_failure() {
  if (output_error == 0) output_error = errno;
}

bool reader_has_gone() {
  pollfd output{.fd = STDOUT_FILENO, .events = POLLOUT, .revents = 0};
  return poll(&output, 1, 0) == 1 && (output.revents & POLLERR) != 0;
}

}  // namespace

void secure_streams() {
  for (const int descriptor : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (fcntl(descriptor, F_GETFD) >= 0) continue;
    // open() takes the lowest descriptor that is free. In the wrong direction every use fails.
    const int direction = descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY;
    if (open("/dev/null", direction) != descriptor) _exit(1);
  }
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
}

void write_or_drop(std::FILE* stream, const std::string& text) {
  if (std::fwrite(text.data(), 1, text.size(), stream) == text.size() && std::fflush(stream) == 0) return;
  __fpurge(stream);
  std::clearerr(stream);
}

void write_output(const std::string& text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size()) note_failure();
}

void finish_output() {
  if (std::fflush(stdout) != 0) note_failure();
  if (output_error == 0 && std::ferror(stdout) == 0) return;
  if (reader_has_gone()) {
    std::signal(SIGPIPE, SIG_DFL);
    std::raise(SIGPIPE);
  }
  const std::string why = output_error == 0 ? "" : std::string(": ") + std::strerror(output_error);
  throw std::runtime_error("standard output cannot be written" + why);
}

}  // namespace crescendo

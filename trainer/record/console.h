// Standard output and standard error. Neither ever ends a run: a disk that holds the log may be full, and a terminal
// may have gone.
#pragma once

#include <fmt/format.h>

#include <cstdio>
#include <string>
#include <utility>

namespace crescendo {

// To be called first. Opens standard input, output and error if they are closed, so that no file of a run takes
// their place: writing to them then fails. Makes a closed pipe, and a file that grows beyond the limit of its size,
// ordinary errors of writing.
void secure_streams();

// Writes to a stream at once. A failure is forgotten: what was not written is dropped.
void write_or_drop(std::FILE* stream, const std::string& text);

// Writes what a command is asked for to standard output; finish_output() reports failures.
void write_output(const std::string& text);
template <class... Values>
void print_output(fmt::format_string<Values...> format, Values&&... values) {
  write_output(fmt::format(format, std::forward<Values>(values)...));
}
// Throws std::runtime_error if something could not be written. If its reader did not want more (`| head`), ends the
// process as programs usually end then, by SIGPIPE.
void finish_output();

// Writes to standard error. A failure is ignored, since there is nobody to tell.
template <class... Values>
void print_error(fmt::format_string<Values...> format, Values&&... values) {
  write_or_drop(stderr, fmt::format(format, std::forward<Values>(values)...));
}

}  // namespace crescendo

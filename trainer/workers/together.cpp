#include "trainer/workers/together.h"

#include <algorithm>
#include <exception>
#include <new>
#include <optional>
#include <system_error>

#include "base/check.h"
#include "base/host_name.h"

namespace crescendo {
namespace {

struct Failure {
  std::string message;
  int exit_code;
};

std::optional<Failure> failure_of(const std::function<void()>& work) {
  try {
    work();
    return std::nullopt;
  } catch (const std::exception& error) {
    return Failure{error.what(), exit_code_of(error)};
  }
}

}  // namespace

int exit_code_of(const std::exception& error) {
  constexpr int kOurError = 1, kBadInput = 2;
  if (const auto* shared = dynamic_cast<const SharedError*>(&error)) return shared->exit_code;
  const bool bad_input = dynamic_cast<const std::invalid_argument*>(&error) != nullptr ||
                         dynamic_cast<const std::system_error*>(&error) != nullptr ||
                         dynamic_cast<const std::bad_alloc*>(&error) != nullptr;
  return bad_input ? kBadInput : kOurError;
}

std::string worker_name(int rank, const std::string& host) { return join("rank ", rank, " on ", host); }

std::vector<std::string> worker_names(Communicator& workers) {
  std::vector<std::string> names = gather_texts(workers, host_name());
  for (size_t rank = 0; rank < names.size(); ++rank)
    names[rank] = worker_name(static_cast<int>(rank), names[rank]);
  return names;
}

void together(Communicator& workers, const std::function<void()>& work) {
  if (workers.size() == 1) return work();
  const std::optional<Failure> mine = failure_of(work);
  const std::vector<int> codes = gather_values(workers, mine ? mine->exit_code : 0);
  const auto failed = std::find_if(codes.begin(), codes.end(), [](int code) { return code != 0; });
  if (failed == codes.end()) return;
  const std::vector<std::string> messages = gather_texts(workers, mine ? mine->message : "");
  const std::vector<std::string> names = worker_names(workers);
  const auto first = static_cast<size_t>(failed - codes.begin());
  const bool alike = std::all_of(messages.begin(), messages.end(),
                                 [&](const std::string& message) { return message == messages[first]; });
  throw SharedError(alike ? messages[first] : join(names[first], ": ", messages[first]), *failed);
}

std::vector<std::string> gather_texts(Communicator& workers, const std::string& mine) {
  const std::vector<size_t> sizes = gather_values(workers, mine.size());
  const size_t longest = *std::max_element(sizes.begin(), sizes.end());
  std::string padded = mine;
  padded.resize(longest);
  std::string all(longest * sizes.size(), '\0');
  workers.gather(std::as_bytes(std::span(padded)), std::as_writable_bytes(std::span(all)));
  std::vector<std::string> texts;
  texts.reserve(sizes.size());
  for (size_t rank = 0; rank < sizes.size(); ++rank) texts.push_back(all.substr(rank * longest, sizes[rank]));
  return texts;
}

std::string broadcast_text(Communicator& workers, const std::string& text) {
  size_t size = text.size();
  broadcast_value(workers, size);
  std::string copy = text;
  copy.resize(size);
  workers.broadcast(std::as_writable_bytes(std::span(copy)));
  return copy;
}

}  // namespace crescendo

#include "trainer/workers/roll_call.h"

#include <sstream>

#include "base/check.h"
#include "trainer/workers/together.h"

namespace crescendo {
namespace {

constexpr int kBadInput = 2;

// Returns the first line in which two texts differ, of each.
std::pair<std::string, std::string> first_difference(const std::string& a, const std::string& b) {
  std::istringstream lines_a(a), lines_b(b);
  std::string line_a, line_b;
  do {
    if (!std::getline(lines_a, line_a)) line_a = "nothing";
    if (!std::getline(lines_b, line_b)) line_b = "nothing";
  } while (line_a == line_b);
  return {line_a, line_b};
}

}  // namespace

void call_roll(Communicator& workers, const RollCall& facts) {
  if (workers.size() == 1) return;
  std::string text;
  for (const auto& [name, value] : facts) text.append(name).append(" ").append(value).append("\n");
  const std::vector<std::string> names = worker_names(workers), texts = gather_texts(workers, text);
  for (size_t rank = 1; rank < texts.size(); ++rank) {
    if (texts[rank] == texts[0]) continue;
    const auto [other, first] = first_difference(texts[rank], texts[0]);
    throw SharedError(join(names[rank], ": ", other, ", ", names[0], ": ", first), kBadInput);
  }
}

}  // namespace crescendo

#include "trainer/cli/workers.h"

#include <fmt/format.h>

#include "base/host_name.h"
#include "trainer/cli/commands.h"
#include "trainer/record/console.h"
#include "trainer/step/gradient_sum.h"
#include "trainer/workers/open_workers.h"
#include "trainer/workers/together.h"

namespace crescendo {
namespace {

// Ends this worker, as all others end. Rank 0 speaks before the communicator closes, since a launcher may kill
// it as soon as another worker has ended.
[[noreturn]] void end_together(const Communicator& workers, const char* message, int exit_code) {
  if (workers.rank() == 0) print_error("crescendo: {}\n", message);
  throw ExitCode{exit_code};
}

}  // namespace

void with_workers(int64_t expected, const std::function<void(Communicator&)>& work) {
  const std::unique_ptr<Communicator> workers = open_workers(expected);
  try {
    require_workers(*workers, expected);
    work(*workers);
  } catch (const SharedError& error) {
    if (workers->size() == 1) throw;
    end_together(*workers, error.what(), error.exit_code);
  } catch (const NonFiniteError& error) {
    if (workers->size() == 1) throw;
    end_together(*workers, error.what(), kNonFiniteExit);
  } catch (const std::exception& error) {
    if (workers->size() == 1) throw;
    print_error("crescendo: {}: {}\n", worker_name(workers->rank(), host_name()), error.what());
    workers->abort(exit_code_of(error));
  }
}

}  // namespace crescendo

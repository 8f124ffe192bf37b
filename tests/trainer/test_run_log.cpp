// The run log: every sink receives every event, in order,
// and a sink that fails stops neither the run nor the others.
#include "trainer/record/run_log.h"

#include <doctest/doctest.h>

#include "base/check.h"

namespace crescendo {
namespace {

class Notes final : public RunSink {
 public:
  explicit Notes(Failure failure = {}) : failure_(std::move(failure)) {}
  Failure write(const StartMetrics& event) override { return note("start", event); }
  Failure write(const TrainMetrics& event) override { return note("train", event); }
  Failure write(const EvaluateMetrics& event) override { return note("evaluate", event); }
  Failure write(const EndMetrics& event) override { return note("end " + event.reason, event); }

  std::vector<std::string> events;

 private:
  Failure note(const std::string& name, const RunEvent& event) {
    events.push_back(join(name, " ", event.samples));
    return failure_;
  }
  Failure failure_;
};

}  // namespace

TEST_CASE("run log: each sink receives each event, though one before it fails") {
  std::vector<std::string> warnings;
  RunLog log([&](const std::string& line) { warnings.push_back(line); });
  Notes full("disk full"), whole;
  log.add(full);
  log.add(whole);
  StartMetrics start;
  TrainMetrics train;
  EvaluateMetrics evaluate;
  EndMetrics end;
  train.samples = 8;
  evaluate.samples = end.samples = 16;
  end.reason = "finished";
  log.write(start);
  log.write(train);
  log.write(evaluate);
  log.write(end);
  CHECK(whole.events == std::vector<std::string>{"start 0", "train 8", "evaluate 16", "end finished 16"});
  CHECK(full.events == whole.events);
  CHECK(warnings == std::vector<std::string>(4, "disk full; training goes on"));
}

}  // namespace crescendo

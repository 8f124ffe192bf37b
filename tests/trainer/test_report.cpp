// The report: what its page is filled with, curves thinned without moving their ends or means, and nothing
// from a run that could act as a page of its own.
#include "trainer/record/report.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>
#include <nlohmann/json.hpp>

#include "support/temporary_folder.h"
#include "trainer/options/toml.h"
#include "trainer/record/metrics.h"
#include "trainer/store/embedded.h"

using namespace crescendo;
using Json = nlohmann::json;

namespace {

constexpr int64_t kImages = 1000;  // an epoch

struct Phase {
  double until_epoch, learning_rate;
  int64_t batch;
};

// A training line after each update, an evaluation after each epoch.
void write_metrics(const std::string& path, const std::vector<Phase>& phases, bool finished) {
  MetricsWriter writer(path);
  CHECK_FALSE(writer.write(StartMetrics{}));
  TrainMetrics line;
  for (const Phase& phase : phases)
    while (line.epoch < phase.until_epoch) {
      line.samples += phase.batch;
      line.updates += 1;
      line.epoch = static_cast<double>(line.samples) / kImages;
      line.learning_rate = phase.learning_rate;
      line.batch = phase.batch;
      line.noise_scale = phase.learning_rate / 0.1 * (static_cast<double>(kImages) / phase.batch - 1);
      line.loss = 1 / (1 + line.epoch) + (line.updates % 2 ? 0.25 : -0.25);
      line.images_per_second = 500;
      line.seconds = static_cast<double>(line.samples) / 500;
      CHECK_FALSE(writer.write(line));
      if (line.samples % kImages != 0) continue;
      EvaluateMetrics evaluation;
      static_cast<RunEvent&>(evaluation) = line;
      evaluation.epoch = line.epoch;
      evaluation.seconds = line.seconds;
      evaluation.accuracy = line.epoch == 2 ? 0.875 : 0.5;  // best in the middle
      CHECK_FALSE(writer.write(evaluation));
    }
  EndMetrics end;
  end.samples = line.samples;
  end.reason = "finished";
  if (finished) CHECK_FALSE(writer.write(end));
}

struct RunsFixture {
  TemporaryFolder folder;
  const std::string page = folder / "report.html";
  const std::vector<Phase> decaying = {{2, 0.1, 50}, {4, 0.02, 50}};
  const std::vector<Phase> growing = {{2, 0.1, 50}, {4, 0.1, 250}};

  std::string add_run(const std::string& name, const std::vector<Phase>& phases,
                      const std::string& config = "", bool finished = true) {
    const std::string path = folder / name;
    std::filesystem::create_directories(path);
    write_text(path + "/config.toml",
               "# options\nbatch = 50\nrun-dir = " + toml_string(path) + "\n" + config);
    write_metrics(path + "/metrics.jsonl", phases, finished);
    return path;
  }

  std::string text() const { return read_text(page); }

  Json data() const {
    const std::string all = text(), begin = "type=\"application/json\">";
    const size_t first = all.find(begin) + begin.size();
    return Json::parse(all.substr(first, all.find("</script>", first) - first));
  }

  Json report(const std::vector<std::string>& runs, const std::string& title = "") {
    write_report(runs, page, title);
    return data();
  }
};

size_t count(const std::string& text, const std::string& part) {
  size_t found = 0;
  for (size_t at = 0; (at = text.find(part, at)) != std::string::npos; at += part.size()) ++found;
  return found;
}

std::string message_of(const std::vector<std::string>& runs, const std::string& page) {
  return error_of([&] { write_report(runs, page); });
}

}  // namespace

TEST_CASE_FIXTURE(RunsFixture, "final figures of a decaying and a growing run") {
  const Json page = report({add_run("a", decaying), add_run("b", growing)});
  CHECK(page["title"] == "Crescendo: a, b");
  const Json a = page["runs"][0], b = page["runs"][1];
  CHECK(a["name"] == "a");
  CHECK(a["state"] == "finished");
  CHECK(a["final"]["updates"] == 80);
  CHECK(b["final"]["updates"] == 48);
  CHECK(a["final"]["saving"] == 0);
  CHECK(b["final"]["saving"] == 0.4);
  CHECK(a["final"]["accuracy"] == 0.5);
  CHECK(a["final"]["best_accuracy"] == 0.875);
  CHECK(a["final"]["best_epoch"] == 2);
  CHECK_FALSE(a["final"].contains("median_accuracy"));
  CHECK(a["final"]["samples"] == 4000);
  CHECK(a["final"]["epochs"] == 4);
  CHECK(a["final"]["seconds"] == 8);
  CHECK(a["final"]["images_per_second"] == 500);
  // Over b's last epoch: updates 45 to 48 at epochs 3.25, 3.5, 3.75 and 4; the alternating part cancels.
  const double expected = (1 / 4.25 + 1 / 4.5 + 1 / 4.75 + 1 / 5.0) / 4;
  CHECK(std::abs(b["final"]["loss"].get<double>() - expected) < 5e-7);  // six digits are written
}

TEST_CASE_FIXTURE(RunsFixture, "several workers have figures, one has none") {
  const std::string run = add_run("run", growing);
  CHECK(!report({run})["runs"][0]["final"].contains("workers"));
  const Metrics alone = read_metrics(run + "/metrics.jsonl");
  {
    MetricsWriter writer(run + "/metrics.jsonl");
    TrainMetrics line = alone.train.back();
    for (const int64_t workers : {2, 4}) {
      line.samples += 50;
      line.seconds += 1;  // 8 before
      line.workers = workers;
      line.exchange_seconds = 0.1;
      line.waiting_seconds = 0.25;
      CHECK_FALSE(writer.write(line));
    }
  }
  const Json figures = report({run})["runs"][0]["final"];
  CHECK(figures["workers"] == Json{1, 4});
  CHECK(figures["exchange"] == 0.02);
  CHECK(figures["waiting"] == 0.05);
}

TEST_CASE_FIXTURE(RunsFixture, "a run of five epochs has a median accuracy") {
  CHECK(report({add_run("a", {{5, 0.1, 50}})})["runs"][0]["final"]["median_accuracy"] == 0.5);
}

TEST_CASE_FIXTURE(RunsFixture, "a schedule's curve keeps its steps and nothing else") {
  const Json schedule = report({add_run("b", growing)})["runs"][0]["schedule"];
  CHECK(schedule["epoch"] == Json({0, 0.05, 2, 2.25, 4}));
  CHECK(schedule["batch"] == Json({50, 50, 50, 250, 250}));
  CHECK(schedule["learning_rate"] == Json({0.1, 0.1, 0.1, 0.1, 0.1}));
  CHECK(schedule["noise_scale"] == Json({19, 19, 19, 3, 3}));
}

TEST_CASE_FIXTURE(RunsFixture, "a long curve is thinned to means that keep its ends and its mean") {
  const Json curve = report({add_run("long", {{50, 0.1, 20}, {150, 0.1, 50}})})["runs"][0]["training"];
  const std::vector<double> epoch = curve["epoch"], loss = curve["loss"];
  REQUIRE(epoch.size() == 1000);  // of 4500
  CHECK(loss.size() == 1000);
  CHECK(curve["updates"].size() == 1000);
  CHECK(epoch.front() == 0.02);
  CHECK(epoch.back() == 150);
  CHECK(curve["updates"].back() == 4500);
  CHECK(std::is_sorted(epoch.begin(), epoch.end()));

  const Metrics metrics = read_metrics(folder / "long/metrics.jsonl");
  double all = 0, thinned = 0;
  for (size_t i = 0; i < metrics.train.size(); ++i)
    all += metrics.train[i].loss * (metrics.train[i].epoch - (i ? metrics.train[i - 1].epoch : 0));
  for (size_t i = 0; i < loss.size(); ++i) thinned += loss[i] * (epoch[i] - (i ? epoch[i - 1] : 0));
  // Losses up to 1.25 and epochs up to 150, each of 1000 written with six digits; errors of epochs telescope.
  const double digits = 5e-6 * 1.25;
  CHECK(std::abs(all - thinned) < 4 * digits * 150);
}

TEST_CASE_FIXTURE(RunsFixture,
                  "what differs between runs is found, and where they are kept is no difference") {
  const Json page =
      report({add_run("a", decaying, "exchange = \"none\"\nmilestones = [2, 3]\n"),
              add_run("b", growing, "exchange = \"batch\"\nmilestones = [2, 3]\nmax-batch = 250\n")});
  CHECK(page["differing"] == Json({"exchange", "max-batch"}));
  CHECK(page["keys"] == Json({"batch", "run-dir", "exchange", "milestones", "max-batch"}));
  CHECK(page["runs"][1]["settings"]["exchange"] == "batch");
  CHECK_FALSE(page["runs"][0]["settings"].contains("max-batch"));
}

TEST_CASE_FIXTURE(RunsFixture, "a saving is given only to runs of equal length") {
  const Json page = report({add_run("whole", decaying), add_run("half", {{2, 0.1, 50}}, "", false)});
  CHECK(page["runs"][0]["final"]["comparable"] == true);
  CHECK(page["runs"][1]["final"]["comparable"] == false);
  CHECK_FALSE(page["runs"][1]["final"].contains("saving"));
  CHECK(page["runs"][1]["state"] == "still running, or cut off");
}

TEST_CASE_FIXTURE(RunsFixture, "measured noise scales are marks; what was not finite is a gap") {
  const std::string run = add_run("a", {{0.05, 0.1, 50}}, "", false);
  MetricsWriter writer(run + "/metrics.jsonl");
  TrainMetrics line;
  line.samples = 100;
  line.updates = 2;
  line.epoch = 0.1;
  line.loss = std::numeric_limits<double>::quiet_NaN();
  line.measured_noise_scale = 1234.5;
  CHECK_FALSE(writer.write(line));
  const Json shown = report({run})["runs"][0];
  CHECK(shown["measured"]["epoch"] == Json::array({0.1}));
  CHECK(shown["measured"]["noise_scale"] == Json::array({1234.5}));
  CHECK(shown["training"]["loss"].size() == 2);
  CHECK(shown["training"]["loss"][1].is_null());
}

TEST_CASE_FIXTURE(RunsFixture, "text from runs stays text") {
  const std::string name = "<b> & \"'{{report}}", value = "</script><script>alert(1)</script><!--";
  const std::string run = add_run(name, decaying, "model = " + toml_string(value) + "\n");
  const Json page = report({run}, "</title>&amp; <i>" + name);
  CHECK(page["runs"][0]["name"] == name);
  CHECK(page["runs"][0]["settings"]["model"] == value);
  CHECK(page["title"] == "</title>&amp; <i>" + name);
  CHECK(text().find("<title>&lt;/title>&amp;amp; &lt;i>&lt;b> &amp; \"'{{report}}</title>") !=
        std::string::npos);
  CHECK(text().find("alert(1)</script>") == std::string::npos);
  CHECK(count(text(), "</script>") == count(std::string(embedded_file("report_page.html")), "</script>"));
}

TEST_CASE_FIXTURE(RunsFixture, "bytes that are no UTF-8 are replaced") {
  const std::string run = add_run("a\xff", decaying);
  CHECK(report({run})["runs"][0]["name"] == "a\xef\xbf\xbd");
}

TEST_CASE_FIXTURE(RunsFixture, "the page is whole and asks for nothing") {
  report({add_run("a", decaying)});
  const std::string html = text();
  CHECK(html.find("{{title}}") == std::string::npos);
  CHECK(html.find("{{chart_js}}") == std::string::npos);
  CHECK(html.find("default-src 'none'") != std::string::npos);
  for (const char* reference : {"src=\"http", "href=\"http", "url(", "@import", "<link rel=\"stylesheet"})
    CHECK_MESSAGE(html.find(reference) == std::string::npos, reference);
  if (!embedded_file("chart.js").empty()) CHECK(html.find("Chart.js v") != std::string::npos);
}

TEST_CASE_FIXTURE(RunsFixture, "folders of one name are told apart by their paths") {
  const Json page =
      report({add_run("x/run", decaying), add_run("y/run", growing) + "/", add_run("z", growing)});
  CHECK(page["runs"][0]["name"] == folder / "x/run");
  CHECK(page["runs"][1]["name"] == folder / "y/run/");
  CHECK(page["runs"][2]["name"] == "z");
}

TEST_CASE_FIXTURE(RunsFixture, "what is no run is refused with one line") {
  const std::string run = add_run("a", decaying);
  std::filesystem::create_directories(folder / "empty");
  write_metrics(folder / "started.jsonl", {}, false);
  std::filesystem::create_directories(folder / "started");
  std::filesystem::rename(folder / "started.jsonl", folder / "started/metrics.jsonl");

  CHECK(message_of({}, page) == "report: no run given, expected at least one run folder");
  CHECK(message_of({"/no/such"}, page) == "report: /no/such does not exist, expected a run folder");
  CHECK(message_of({run + "/config.toml"}, page) ==
        "report: " + run + "/config.toml is a file, expected a run folder");
  CHECK(message_of({folder / "empty"}, page) ==
        "report: " + (folder / "empty") + " is not a run folder: it has no metrics.jsonl");
  CHECK(message_of({folder / "started"}, page) ==
        "report: " + (folder / "started") +
            " has nothing to show yet: its metrics.jsonl holds no update and no evaluation");
  CHECK(message_of({run, run + "/."}, page) == "report: " + run + "/. is given twice");
  CHECK_FALSE(std::filesystem::exists(page));
  CHECK_THROWS_AS(write_report({run}, folder / "no/such/report.html"), std::system_error);
}

// Run folders: who may open one, which checkpoint is taken, which are kept,
// and what a fault at any call leaves.
#include "trainer/store/run_folder.h"

#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>

#include "support/faulty_files.h"
#include "support/temporary_folder.h"
#include "support/tiny_state.h"

using namespace crescendo;
using Fault = FaultyFiles::Fault;

namespace {

struct Lines {
  std::vector<std::string> lines;
  Log log() {
    return [this](const std::string& line) { lines.push_back(line); };
  }
};

void ignore(const std::string&) {}

// A tiny state that differs by the samples it has seen.
struct StateAt : TinyState {
  explicit StateAt(int64_t samples) : TinyState(static_cast<uint64_t>(samples)) {
    state.info.counters.samples_seen = samples;
  }
};

std::string checkpoint(const std::string& run, int64_t samples) {
  const std::string digits = std::to_string(samples);
  return run + "/checkpoints/" + std::string(10 - digits.size(), '0') + digits + ".safetensors";
}

std::vector<std::string> names_in(const std::string& folder) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    names.push_back(entry.path().filename());
  std::sort(names.begin(), names.end());
  return names;
}

std::vector<std::string> checkpoints_in(const std::string& run) { return names_in(run + "/checkpoints"); }

void damage(const std::string& path) {
  std::string bytes = read_text(path);
  bytes.back() ^= 1;
  write_text(path, bytes);
}

std::string open_error(const std::string& run, bool resume = false) {
  return error_of([&] { RunFolder(run, resume, ignore); });
}

}  // namespace

TEST_CASE("a run folder is created where there is none, with those above it") {
  const TemporaryFolder folder;
  const std::string run = folder / "some/where/run/";
  RunFolder opened(run, false, ignore);
  CHECK(std::filesystem::is_directory(run + "checkpoints"));
  CHECK_FALSE(opened.newest_checkpoint());
}

TEST_CASE("a folder that holds a run is opened with resume only") {
  const TemporaryFolder folder;
  const std::string run = folder / "run";
  const std::string refusal =
      "run folder " + run + ": holds a run already: use --resume to continue it, or another --run-dir";
  { RunFolder(run, true, ignore); }  // resuming nothing begins a run
  CHECK(open_error(run) == "");      // which is none before anything is written
  { RunFolder(run, false, ignore).write_config("seed = 1\n"); }
  CHECK(open_error(run) == refusal);
  CHECK(open_error(run, true) == "");
  CHECK(read_text(run + "/config.toml") == "seed = 1\n");
  std::filesystem::remove(run + "/config.toml");
  write_text(run + "/metrics.jsonl", "");
  CHECK(open_error(run) == refusal);
  std::filesystem::remove(run + "/metrics.jsonl");
  CHECK(open_error(run) == "");
  { RunFolder(run, false, ignore).save(StateAt(128).state, 3); }
  CHECK(open_error(run) == refusal);
  CHECK(open_error(run, true) == "");
}

TEST_CASE("a run folder that cannot be one is refused in one line") {
  const TemporaryFolder folder;
  const std::string file = folder / "file";
  write_text(file, "");
  CHECK(open_error(file) == "run folder " + file + ": is a file, expected a folder");
  CHECK(open_error(file + "/run").starts_with("run folder " + file));
  CHECK(open_error(file + "/run").find('\n') == std::string::npos);
  CHECK_THROWS_AS(RunFolder(file + "/run", false, ignore), std::invalid_argument);
  std::filesystem::create_directories(folder / "run/lock");
  CHECK(open_error(folder / "run") ==
        "run folder " + (folder / "run") + ": cannot be written: Is a directory");
}

TEST_CASE("a second trainer is refused while the first one lives, and told who that is") {
  const TemporaryFolder folder;
  const std::string run = folder / "run";
  {
    RunFolder first(run, false, ignore);
    const std::string message = open_error(run, true);
    CHECK(message.starts_with("run folder " + run + ": is in use by process " + std::to_string(getpid()) +
                              " on "));
    CHECK_FALSE(first.save(StateAt(128).state, 3));  // the first goes on
  }
  CHECK(open_error(run, true) == "");
}

TEST_CASE("the lock of a process that was killed is free") {
  const TemporaryFolder folder;
  const std::string run = folder / "run";
  const pid_t child = fork();
  if (child == 0) {
    RunFolder held(run, false, ignore);
    _exit(0);
  }
  waitpid(child, nullptr, 0);
  CHECK(std::filesystem::exists(run + "/lock"));
  CHECK(open_error(run, true) == "");
}

TEST_CASE("the newest checkpoint that verifies is taken, and each damaged one is spoken of") {
  const TemporaryFolder folder;
  const std::string run = folder / "run";
  Lines said;
  RunFolder opened(run, false, said.log());
  for (const int64_t samples : {128, 256, 9'999'999, 384})
    CHECK_FALSE(opened.save(StateAt(samples).state, 9));
  CHECK(opened.newest_checkpoint() == checkpoint(run, 9'999'999));
  CHECK(resolve_checkpoint(run, ignore) == checkpoint(run, 9'999'999));
  CHECK(said.lines.empty());
  damage(checkpoint(run, 9'999'999));
  std::filesystem::resize_file(checkpoint(run, 384), 100);
  CHECK(opened.newest_checkpoint() == checkpoint(run, 256));
  REQUIRE(said.lines.size() == 2);
  CHECK(said.lines[0].starts_with("warning: " + checkpoint(run, 9'999'999) + ": tensor "));
  CHECK(said.lines[1].starts_with("warning: " + checkpoint(run, 384) + ": header: "));
  CHECK(resolve_checkpoint(run, ignore) == checkpoint(run, 256));
  damage(checkpoint(run, 256));
  damage(checkpoint(run, 128));
  CHECK(error_of([&] { opened.newest_checkpoint(); }) == run + ": all 4 checkpoints are damaged");
}

TEST_CASE("the newest readable header ignores damage to tensors, but not to the header") {
  const TemporaryFolder folder;
  const std::string run = folder / "run";
  CHECK_FALSE(newest_header_of(run));
  RunFolder opened(run, false, ignore);
  for (const int64_t samples : {128, 256}) CHECK_FALSE(opened.save(StateAt(samples).state, 9));
  damage(checkpoint(run, 256));
  CHECK(newest_header_of(run) == checkpoint(run, 256));
  std::filesystem::resize_file(checkpoint(run, 256), 100);
  CHECK(newest_header_of(run) == checkpoint(run, 128));
}

TEST_CASE("the newest verifiable checkpoints are kept, as many as asked") {
  const TemporaryFolder folder;
  const std::string run = folder / "run";
  {
    RunFolder opened(run, false, ignore);
    for (int64_t samples = 128; samples <= 640; samples += 128) opened.save(StateAt(samples).state, 2);
    CHECK(checkpoints_in(run) ==
          std::vector<std::string>{"0000000512.safetensors", "0000000640.safetensors"});
  }
  damage(checkpoint(run, 640));
  RunFolder opened(run, true, ignore);
  CHECK(opened.newest_checkpoint() == checkpoint(run, 512));
  write_text(run + "/checkpoints/notes.txt", "not a checkpoint");
  opened.save(StateAt(576).state, 2);  // the damaged one does not count
  CHECK(checkpoints_in(run) == std::vector<std::string>{"0000000512.safetensors", "0000000576.safetensors",
                                                        "0000000640.safetensors", "notes.txt"});
  opened.save(StateAt(640).state, 2);
  CHECK(opened.newest_checkpoint() == checkpoint(run, 640));
  CHECK(checkpoints_in(run) ==
        std::vector<std::string>{"0000000576.safetensors", "0000000640.safetensors", "notes.txt"});
}

TEST_CASE("checkpoints are ordered by their number, however long") {
  const TemporaryFolder folder;
  const std::string run = folder / "run";
  RunFolder opened(run, false, ignore);
  opened.save(StateAt(9'999'999'999).state, 2);
  opened.save(StateAt(10'000'000'000).state, 2);
  CHECK(opened.newest_checkpoint() == run + "/checkpoints/10000000000.safetensors");
}

TEST_CASE(
    "a fault at any call of a save leaves a verifiable checkpoint and is described, and the next save "
    "succeeds") {
  FaultyFiles counting;
  const TemporaryFolder scratch;
  const StateAt old(128), fresh(256), next(384);
  { RunFolder(scratch / "run", false, ignore).save(old.state, 1); }
  { RunFolder(scratch / "run", true, ignore, counting).save(fresh.state, 1); }
  for (const Fault fault : {Fault::once, Fault::forever}) {
    for (const int error : {ENOSPC, EIO, EROFS}) {
      for (size_t at = 1; at <= counting.calls().size(); ++at) {
        CAPTURE(at);
        const TemporaryFolder folder;
        const std::string run = folder / "run";
        { RunFolder(run, false, ignore).save(old.state, 1); }
        {
          FaultyFiles files(fault, at, error);
          RunFolder opened(run, true, ignore, files);
          const auto failure = opened.save(fresh.state, 1);
          if (failure) CHECK(failure->ends_with(std::generic_category().message(error)));
          if (fault == Fault::forever && at == 1) CHECK(failure);
          const auto newest = opened.newest_checkpoint();
          REQUIRE(newest);
          const bool is_new = checkpoint_digest(*newest) == digest(fresh.state);
          CHECK((is_new || checkpoint_digest(*newest) == digest(old.state)));
          CHECK((is_new || failure));
          if (fault == Fault::once) {
            for (const std::string& name : checkpoints_in(run)) CHECK_FALSE(name.starts_with('.'));
            CHECK_FALSE(opened.save(next.state, 1));
            CHECK(checkpoints_in(run) == std::vector<std::string>{"0000000384.safetensors"});
          }
        }
        RunFolder again(run, true, ignore);  // removes what could not be removed
        for (const std::string& name : checkpoints_in(run)) CHECK_FALSE(name.starts_with('.'));
      }
    }
  }
}

TEST_CASE("killed at any call of a save, the next start finds a verifiable checkpoint and no remains") {
  FaultyFiles counting;
  const TemporaryFolder scratch;
  const StateAt old(128), fresh(256);
  { RunFolder(scratch / "run", false, ignore).save(old.state, 1); }
  { RunFolder(scratch / "run", true, ignore, counting).save(fresh.state, 1); }
  for (size_t at = 1; at <= counting.calls().size(); ++at) {
    CAPTURE(at);
    const TemporaryFolder folder;
    const std::string run = folder / "run";
    { RunFolder(run, false, ignore).save(old.state, 1); }
    FaultyFiles files(Fault::kill, at);
    CHECK_THROWS_AS(RunFolder(run, true, ignore, files).save(fresh.state, 1), FaultyFiles::Killed);
    Lines said;
    RunFolder again(run, true, said.log());
    CHECK(again.newest_checkpoint());
    CHECK(said.lines.empty());
    for (const std::string& name : checkpoints_in(run)) CHECK_FALSE(name.starts_with('.'));
  }
}

TEST_CASE("a state that is not finite never enters a run folder") {
  const TemporaryFolder folder;
  const std::string run = folder / "run";
  RunFolder opened(run, false, ignore);
  StateAt state(128);
  state.set("fc.bias", 0, std::numeric_limits<real>::quiet_NaN());
  CHECK_THROWS_AS(opened.save(state.state, 3), NonFiniteState);
  CHECK(checkpoints_in(run).empty());
}

TEST_CASE("the manifest has an entry for each start") {
  const TemporaryFolder folder;
  const std::string run = folder / "run";
  Lines said;
  { RunFolder(run, false, said.log()).add_start({{"command", "crescendo train"}, {"data_digest", "abc"}}); }
  { RunFolder(run, true, said.log()).add_start({{"command", "crescendo train --resume \"\xff\""}}); }
  CHECK(said.lines.empty());
  const auto manifest = nlohmann::json::parse(read_text(run + "/manifest.json"));
  REQUIRE(manifest.at("starts").size() == 2);
  CHECK(manifest["starts"][0]["command"] == "crescendo train");
  CHECK(manifest["starts"][0]["data_digest"] == "abc");
  CHECK(manifest["starts"][1].at("time").get<std::string>().ends_with('Z'));
  for (const char* key : {"host", "processor", "cores", "memory"})
    CHECK(manifest["starts"][1]["machine"].contains(key));

  write_text(run + "/manifest.json", "{\"starts\":");
  { RunFolder(run, true, said.log()).add_start({}); }
  CHECK(said.lines ==
        std::vector<std::string>{"warning: " + run + "/manifest.json: is damaged, beginning a new one"});
  CHECK(nlohmann::json::parse(read_text(run + "/manifest.json"))["starts"].size() == 1);
}

TEST_CASE("RUN is a checkpoint file, or a folder that holds one") {
  const TemporaryFolder folder;
  const std::string run = folder / "run";
  CHECK(error_of([&] { resolve_checkpoint(run, ignore); }) == run + ": no such file or folder");
  { RunFolder(run, false, ignore).write_config(""); }
  CHECK(error_of([&] { resolve_checkpoint(run, ignore); }) == run + ": holds no checkpoint");
  { RunFolder(run, true, ignore).save(StateAt(128).state, 3); }
  CHECK(resolve_checkpoint(run, ignore) == checkpoint(run, 128));
  CHECK(resolve_checkpoint(checkpoint(run, 128), ignore) == checkpoint(run, 128));
  CHECK(error_of([&] { resolve_checkpoint(folder.path(), ignore); }) ==
        folder.path() + ": holds no checkpoint");
}

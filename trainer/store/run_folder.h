// A run is a folder: config.toml, manifest.json (machine, versions and command line of each start),
// metrics.jsonl, checkpoints/<samples seen>.safetensors, and a lock that keeps a second trainer out.
#pragma once

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "trainer/store/checkpoint.h"
#include "trainer/store/file.h"

namespace crescendo {

// Receives what the user must be told although the program goes on: one line, without a newline.
using Log = std::function<void(const std::string&)>;

// What a start of the program was: names and values for the manifest.
using Facts = std::vector<std::pair<std::string, std::string>>;

class RunFolder {
 public:
  // Creates the folder where there is none, locks it for the object's life, and removes what killed writers
  // left. Throws std::invalid_argument with one line if it cannot be written, is in use by another process,
  // or holds a run and `resume` is false. With `resume`, a folder that holds no run yet is a new one.
  RunFolder(const std::string& path, bool resume, Log log, FileSystem& files = FileSystem::system());
  RunFolder(const RunFolder&) = delete;
  RunFolder& operator=(const RunFolder&) = delete;
  ~RunFolder();

  const std::string& path() const { return path_; }
  std::string metrics_path() const { return path_ + "/metrics.jsonl"; }

  // Durably writes config.toml. Throws FileError.
  void write_config(const std::string& text);
  // Adds an entry to manifest.json's "starts": `facts`, the time, the host and its processor, cores and
  // memory. Throws FileError.
  void add_start(const Facts& facts);

  // newest_checkpoint_of this folder, which need not be checked again.
  std::optional<std::string> newest_checkpoint();

  // Saves checkpoints/<samples seen>.safetensors and then removes all but the newest `keep` >= 1 verifiable
  // ones. A failed write leaves the older ones as they were and is returned as a description (none: saved),
  // for the trainer to say and to try again after the next update. Throws NonFiniteState.
  std::optional<std::string> save(const TrainingState& state, int64_t keep);

  // Removes all but the newest `keep` verifiable checkpoints: what a killed run may have left besides.
  void rotate(int64_t keep);

 private:
  void lock();

  std::string path_;
  Log log_;
  FileSystem& files_;
  int lock_ = -1;
  std::set<std::string> verified_;  // checkpoints this process wrote or checked
};

// The newest checkpoint of a run that verifies; none if there are no checkpoints, or no such folder. Says of
// each damaged one it passes over that it does. Throws std::invalid_argument if all are damaged.
std::optional<std::string> newest_checkpoint_of(const std::string& run, const Log& log);

// RUN on the command line: a checkpoint file, or a run folder, meaning its newest checkpoint that verifies
// (damaged ones passed over are logged). Throws std::invalid_argument if there is none.
std::string resolve_checkpoint(const std::string& run, const Log& log);

}  // namespace crescendo

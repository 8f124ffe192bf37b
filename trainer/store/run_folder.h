// The folder of a run: config.toml, manifest.json (machine, versions and data of each start), metrics.jsonl,
// checkpoints/<samples seen>.safetensors, and a lock that keeps a second trainer out.
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

// Receives a warning for the user: one line, without a newline. The program goes on.
using Log = std::function<void(const std::string&)>;

// Facts about one start of the program, for the manifest: names and values.
using Facts = std::vector<std::pair<std::string, std::string>>;

class RunFolder {
 public:
  // Creates the folder if it does not exist, locks it for the object's life, and removes what killed writers
  // left. Throws std::invalid_argument with one line if the folder cannot be written, is in use by another
  // process, or holds a run although `resume` is false. `resume` also accepts a folder without a run.
  RunFolder(const std::string& path, bool resume, Log log, FileSystem& files = FileSystem::system());
  RunFolder(const RunFolder&) = delete;
  RunFolder& operator=(const RunFolder&) = delete;
  ~RunFolder();

  const std::string& path() const { return path_; }
  std::string metrics_path() const { return path_ + "/metrics.jsonl"; }

  // Writes config.toml durably. Throws FileError.
  void write_config(const std::string& text);
  // Adds an entry to manifest.json's "starts": `facts`, the time, the host and its processor, cores and
  // memory. Throws FileError.
  void add_start(const Facts& facts);

  // Returns newest_checkpoint_of() this folder and remembers that it verified.
  std::optional<std::string> newest_checkpoint();

  // Saves checkpoints/<samples seen>.safetensors, then removes all but the newest `keep` >= 1 verifiable
  // checkpoints. Returns a description of a failed write, none on success. After a failure the older
  // checkpoints are as they were, and the caller may try again after the next update. Throws NonFiniteState.
  std::optional<std::string> save(const TrainingState& state, int64_t keep);

  // Removes all but the newest `keep` verifiable checkpoints. A killed run may have left more.
  void rotate(int64_t keep);

 private:
  void lock();

  std::string path_;
  Log log_;
  FileSystem& files_;
  int lock_ = -1;
  std::set<std::string> verified_;  // checkpoints this process wrote or checked
};

// Returns the newest checkpoint of a run that verifies; none if there are no checkpoints, or no such folder.
// Logs each damaged checkpoint that it passes over. Throws std::invalid_argument if all are damaged.
std::optional<std::string> newest_checkpoint_of(const std::string& run, const Log& log);

// Returns the newest checkpoint of a run with an undamaged header, without reading tensors; none if none has.
std::optional<std::string> newest_header_of(const std::string& run);

// Returns the checkpoint that RUN on the command line means: a checkpoint file, or the newest checkpoint of a
// run folder that verifies. Logs each damaged checkpoint that it passes over. Throws std::invalid_argument if
// there is none.
std::string resolve_checkpoint(const std::string& run, const Log& log);

}  // namespace crescendo

#include "trainer/store/run_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/check.h"
#include "base/host_name.h"
#include "trainer/store/utc_time.h"

namespace crescendo {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr const char* kExtension = ".safetensors";
constexpr size_t kNameDigits = 10;  // at least; checkpoints are ordered by number, not by name

std::string checkpoint_folder(const std::string& run) { return run + "/checkpoints"; }

std::string checkpoint_path(const std::string& run, int64_t samples) {
  const std::string digits = std::to_string(samples);
  const std::string zeros(kNameDigits - std::min(kNameDigits, digits.size()), '0');
  return checkpoint_folder(run) + "/" + zeros + digits + kExtension;
}

// Returns the samples in a checkpoint's file name; none for a file with another name.
std::optional<int64_t> samples_of(const fs::path& path) {
  const std::string digits = path.stem().string();
  const bool number = !digits.empty() && digits.size() <= 18 &&
                      std::all_of(digits.begin(), digits.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (!number || path.extension() != kExtension) return std::nullopt;
  return std::stoll(digits);
}

// Returns the checkpoints of a run, newest first.
std::vector<std::string> checkpoints_of(const std::string& run) {
  std::vector<std::pair<int64_t, std::string>> found;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(checkpoint_folder(run), error))
    if (const auto samples = samples_of(entry.path())) found.emplace_back(*samples, entry.path().string());
  require(!error || error == std::errc::no_such_file_or_directory, checkpoint_folder(run), ": ",
          error.message());
  std::sort(found.rbegin(), found.rend());
  std::vector<std::string> paths;
  paths.reserve(found.size());
  for (const auto& [samples, path] : found) paths.push_back(path);
  return paths;
}

// Returns why a checkpoint does not verify; none if it does.
std::optional<std::string> damage(const std::string& path) {
  try {
    verify_checkpoint(path);
    return std::nullopt;
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
}

bool holds_run(const std::string& path) {
  return fs::exists(path + "/config.toml") || fs::exists(path + "/metrics.jsonl") ||
         fs::exists(path + "/manifest.json") || !checkpoints_of(path).empty();
}

std::string parent_of(const std::string& path) {
  std::string full = fs::absolute(path).lexically_normal().string();
  if (full.size() > 1 && full.ends_with('/')) full.pop_back();
  return fs::path(full).parent_path().string();
}

// Creates a folder and its parents, synced so that they survive a power failure.
void create_folder(const std::string& path, FileSystem& files) {
  std::error_code error;
  if (fs::is_directory(path, error)) return;
  const std::string parent = parent_of(path);
  if (parent != path) create_folder(parent, files);
  fs::create_directory(path, error);
  require(!error, "run folder ", path, ": cannot be created: ", error.message());
  sync_folder(parent, files);
}

std::string read_text(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// Returns the value after "key :" in a file of /proc; "unknown" if there is none.
std::string fact_in(const std::string& path, const std::string& key) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with(key)) continue;
    const size_t value = line.find_first_not_of(" \t", line.find(':') + 1);
    if (value != std::string::npos) return line.substr(value);
  }
  return "unknown";
}

Json machine() {
  return {{"host", host_name()},
          {"processor", fact_in("/proc/cpuinfo", "model name")},
          {"cores", std::thread::hardware_concurrency()},
          {"memory", fact_in("/proc/meminfo", "MemTotal")}};
}

}  // namespace

RunFolder::RunFolder(const std::string& path, bool resume, Log log, FileSystem& files)
    : path_(path), log_(std::move(log)), files_(files) {
  require(!fs::exists(path_) || fs::is_directory(path_), "run folder ", path_,
          ": is a file, expected a folder");
  create_folder(path_, files_);
  lock();
  try {
    require(resume || !holds_run(path_), "run folder ", path_,
            ": holds a run already: use --resume to continue it, or another --run-dir");
    create_folder(checkpoint_folder(path_), files_);
    remove_temporaries(path_, files_);
    remove_temporaries(checkpoint_folder(path_), files_);
  } catch (...) {
    ::close(lock_);
    throw;
  }
}

RunFolder::~RunFolder() { ::close(lock_); }

// The system releases the lock when this process ends, however it ends. The text in the file is for messages.
void RunFolder::lock() {
  const std::string file = path_ + "/lock";
  lock_ = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  require(lock_ >= 0, "run folder ", path_, ": cannot be written: ", std::strerror(errno));
  if (::flock(lock_, LOCK_EX | LOCK_NB) < 0) {
    const int error = errno;
    ::close(lock_);
    const std::string owner = read_text(file);
    require(error != EWOULDBLOCK, "run folder ", path_, ": is in use by ",
            owner.empty() ? "another process" : owner);
    require(false, "run folder ", path_, ": cannot be locked: ", std::strerror(error));
  }
  const std::string owner = join("process ", getpid(), " on ", host_name());
  if (::ftruncate(lock_, 0) < 0 || !write_all(FileSystem::system(), lock_, owner.data(), owner.size()))
    log_("warning: " + file + ": " + std::strerror(errno));
}

void RunFolder::write_config(const std::string& text) { write_durably(path_ + "/config.toml", text, files_); }

void RunFolder::add_start(const Facts& facts) {
  const std::string file = path_ + "/manifest.json";
  Json manifest = Json::parse(read_text(file), nullptr, false);
  const bool usable = manifest.is_object() && manifest.contains("starts") && manifest["starts"].is_array();
  if (!usable && fs::exists(file)) log_("warning: " + file + ": is damaged, beginning a new one");
  if (!usable) manifest = {{"starts", Json::array()}};
  Json start = {{"time", utc_time()}};
  for (const auto& [name, value] : facts) start[name] = value;
  start["machine"] = machine();
  manifest["starts"].push_back(start);
  write_durably(file, manifest.dump(2, ' ', false, Json::error_handler_t::replace) + "\n", files_);
}

std::optional<std::string> RunFolder::newest_checkpoint() {
  std::optional<std::string> newest = newest_checkpoint_of(path_, log_);
  if (newest) verified_.insert(*newest);
  return newest;
}

std::optional<std::string> RunFolder::save(const TrainingState& state, int64_t keep) {
  const std::string path = checkpoint_path(path_, state.info.counters.samples_seen);
  verified_.erase(path);
  try {
    save_checkpoint(path, state, files_);
  } catch (const FileError& error) {
    return error.what();
  }
  verified_.insert(path);
  rotate(std::max<int64_t>(keep, 1));
  return std::nullopt;
}

// Keeps the newest `keep` verifiable checkpoints and removes everything older, damaged or not.
void RunFolder::rotate(int64_t keep) {
  int64_t kept = 0;
  for (const std::string& path : checkpoints_of(path_)) {
    if (kept == keep) {
      verified_.erase(path);
      if (files_.unlink(path) < 0) log_("warning: " + path + ": cannot be removed: " + std::strerror(errno));
    } else if (verified_.contains(path) || !damage(path)) {
      verified_.insert(path);
      ++kept;
    }
  }
}

std::optional<std::string> newest_checkpoint_of(const std::string& run, const Log& log) {
  const std::vector<std::string> paths = checkpoints_of(run);
  for (const std::string& path : paths) {
    const auto why = damage(path);
    if (!why) return path;
    log("warning: " + *why + "; trying the checkpoint before it");
  }
  require(paths.empty(), run, ": all ", paths.size(), " checkpoints are damaged");
  return std::nullopt;
}

std::optional<std::string> newest_header_of(const std::string& run) {
  const auto readable = [](const std::string& path) {
    try {
      read_checkpoint_info(path);
      return true;
    } catch (const std::invalid_argument&) {
      return false;
    }
  };
  const std::vector<std::string> paths = checkpoints_of(run);
  const auto newest = std::find_if(paths.begin(), paths.end(), readable);
  return newest == paths.end() ? std::nullopt : std::optional(*newest);
}

std::string resolve_checkpoint(const std::string& run, const Log& log) {
  std::error_code error;
  require(fs::exists(run, error), run, ": no such file or folder");
  if (!fs::is_directory(run, error)) return run;
  const std::optional<std::string> newest = newest_checkpoint_of(run, log);
  require(newest.has_value(), run, ": holds no checkpoint");
  return *newest;
}

}  // namespace crescendo

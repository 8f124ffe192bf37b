#include "trainer/cli/mpirun.h"

#include <poll.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <initializer_list>
#include <optional>
#include <regex>
#include <utility>

#include "base/check.h"
#include "base/cores.h"

namespace crescendo {
namespace {

constexpr int kTryAgain = 75;

// Returns true if processes of one user may copy each other's memory, as Open MPI does between workers of a
// machine. Containers often forbid it.
bool may_copy_memory() {
  char from = 1, to = 0;
  const iovec local{&to, 1}, remote{&from, 1};
  return process_vm_readv(getpid(), &local, 1, &remote, 1, 0) == 1;
}

// Returns the interfaces that lead nowhere: those of this machine and its containers.
std::string inner_interfaces() {
  std::string names;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/sys/class/net", error)) {
    const std::string name = entry.path().filename().string();
    const auto begins = [&](const char* prefix) { return name.starts_with(prefix); };
    if (name == "lo" || begins("docker") || begins("virbr") || begins("br-") || begins("veth"))
      names += (names.empty() ? "" : ",") + name;
  }
  return names;
}

std::atomic<int> stop_signal = 0;
extern "C" void note_signal(int signal) { stop_signal = signal; }

// Handles the signals that stop a run while it lives, but SIGHUP not if it is ignored.
class StopSignals {
 public:
  StopSignals() {
    stop_signal = 0;
    for (size_t i = 0; i < kSignals.size(); ++i) {
      struct sigaction action {};
      action.sa_handler = note_signal;  // without SA_RESTART: poll() returns
      sigaction(kSignals[i], nullptr, &before_[i]);
      if (kSignals[i] != SIGHUP || before_[i].sa_handler != SIG_IGN) sigaction(kSignals[i], &action, nullptr);
    }
  }
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;
  ~StopSignals() {
    for (size_t i = 0; i < kSignals.size(); ++i) sigaction(kSignals[i], &before_[i], nullptr);
  }

 private:
  static constexpr std::array kSignals{SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2, SIGXCPU};
  std::array<struct sigaction, kSignals.size()> before_{};
};

// mpirun in a process group of its own. Its error messages pass through this process.
class Group {
 public:
  explicit Group(const std::vector<std::string>& command) {
    std::array<int, 2> errors{};
    require(pipe(errors.data()) == 0, "launch: pipe: ", std::strerror(errno));
    process_ = fork();
    require(process_ >= 0, "launch: fork: ", std::strerror(errno));
    if (process_ == 0) {
      setpgid(0, 0);
      dup2(errors[1], STDERR_FILENO);
      close(errors[0]);
      close(errors[1]);
      execute(command);
    }
    setpgid(process_, process_);
    close(errors[1]);
    errors_ = errors[0];
  }
  Group(const Group&) = delete;
  Group& operator=(const Group&) = delete;
  ~Group() { close(errors_); }

  // Passes messages on until all processes have closed theirs, and returns the exit code.
  int wait() {
    while (pass_messages()) {
      forward_signal();
      if (lost_ && Clock::now() > *lost_ + kPatience) kill(-process_, SIGKILL);
    }
    int status = 0;
    while (waitpid(process_, &status, 0) < 0 && errno == EINTR) forward_signal();
    kill(-process_, SIGKILL);  // whoever is left
    if (lost_) return kTryAgain;
    if (asked_to_stop_ != 0 && status != 0) return 128 + asked_to_stop_;
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  }

 private:
  using Clock = std::chrono::steady_clock;
  static constexpr auto kPatience = std::chrono::seconds(10);

  [[noreturn]] static void execute(const std::vector<std::string>& command) {
    std::vector<char*> words;
    words.reserve(command.size() + 1);
    for (const std::string& word : command) words.push_back(const_cast<char*>(word.c_str()));
    words.push_back(nullptr);
    execvp(words[0], words.data());
    _exit(127);
  }

  // Returns false at the end of the messages.
  bool pass_messages() {
    pollfd source{.fd = errors_, .events = POLLIN, .revents = 0};
    if (poll(&source, 1, 200) <= 0) return true;
    std::array<char, 4096> text{};
    const ssize_t size = read(errors_, text.data(), text.size());
    if (size < 0) return errno == EINTR;
    if (size == 0) return false;
    unread_.append(text.data(), static_cast<size_t>(size));
    for (size_t end = unread_.find('\n'); end != std::string::npos; end = unread_.find('\n')) {
      const std::string line = unread_.substr(0, end);
      unread_.erase(0, end + 1);
      if (line.find(kLostWorker) != std::string::npos && !lost_) lost_ = Clock::now();
      for (const std::string& one : messages_.take(line))
        if (!lost_ || one.starts_with("crescendo: ")) std::fprintf(stderr, "%s\n", one.c_str());
    }
    return true;
  }

  void forward_signal() {
    const int signal = stop_signal.exchange(0);
    if (signal == 0) return;
    if (asked_to_stop_ == 0)
      kill(process_, SIGUSR1);
    else if (signal == asked_to_stop_ && (signal == SIGINT || signal == SIGTERM))
      kill(process_, SIGTERM);
    if (asked_to_stop_ == 0) asked_to_stop_ = signal;
  }

  static constexpr const char* kLostWorker = "--resume continues the run";
  pid_t process_ = -1;
  int errors_ = -1;
  int asked_to_stop_ = 0;  // by this signal
  std::string unread_;
  MpirunMessages messages_;
  std::optional<Clock::time_point> lost_;  // when a worker said that another is lost
};

}  // namespace

std::vector<std::string> MpirunMessages::take(const std::string& line) {
  const bool is_frame = line.size() > 20 && line.find_first_not_of('-') == std::string::npos;
  if (line.starts_with("mpirun: Forwarding signal")) return {};
  if (!is_frame && !in_frame_) return {line};
  if (!is_frame || !in_frame_) {
    in_frame_ = true;
    if (!is_frame) frame_.push_back(line);
    return {};
  }
  in_frame_ = false;
  std::vector<std::string> found = std::exchange(frame_, {});
  std::string text;
  for (const std::string& one : found) text += one + " ";
  const auto says = [&](const char* words) { return text.find(words) != std::string::npos; };
  if (says("MPI_ABORT was invoked") || says("non-zero exit code") || says("non-zero status")) return {};
  static const std::regex kKilled(
      "noticed that process rank ([0-9]+) .* on node ([^ ]+) exited on signal ([0-9]+)");
  std::smatch match;
  if (std::regex_search(text, match, kKilled))
    return {join("crescendo: rank ", match[1], " on ", match[2], " was ended by signal ", match[3], " (",
                 strsignal(std::stoi(match[3])), "); --resume continues the run")};
  return found;
}

std::vector<std::string> mpirun_command(const Launch& launch) {
  std::vector<std::string> words = {"mpirun", "-n", std::to_string(launch.workers), "--stdin", "none"};
  const auto add = [&](std::initializer_list<std::string> more) { words.insert(words.end(), more); };
  const auto set = [&](const std::string& name, const std::string& value) { add({"--mca", name, value}); };
  if (geteuid() == 0) add({"--allow-run-as-root"});
  if (isatty(STDOUT_FILENO) == 0) add({"-x", "TERM=dumb"});  // to rank 0, mpirun always looks like a terminal
  const bool here = launch.hosts.empty() && launch.host_file.empty();
  const int64_t cores = allowed_cores();
  if (here && launch.workers <= cores) {
    // Each worker has cores of its own.
    add({"--use-hwthread-cpus", "--map-by", "slot:PE=" + std::to_string(cores / launch.workers), "--bind-to",
         "hwthread"});
  } else {
    add({"--bind-to", "none"});  // workers of a machine share out its cores
  }
  if (here) {
    add({"--oversubscribe"});
    if (launch.workers > cores) set("mpi_yield_when_idle", "1");
    set("btl", "self,vader");  // shared memory
  } else {
    add(launch.hosts.empty() ? std::initializer_list<std::string>{"--hostfile", launch.host_file}
                             : std::initializer_list<std::string>{"--host", launch.hosts});
    const std::string inner = inner_interfaces();
    for (const char* part : {"btl_tcp_if_exclude", "oob_tcp_if_exclude"})
      if (!inner.empty()) set(part, inner);
  }
  if (!may_copy_memory()) set("btl_vader_single_copy_mechanism", "none");
  words.insert(words.end(), launch.command.begin(), launch.command.end());
  return words;
}

int run_group(const std::vector<std::string>& command) {
  const StopSignals signals;
  return Group(command).wait();
}

}  // namespace crescendo

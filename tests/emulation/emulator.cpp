#include "emulation/emulator.h"

#include <algorithm>
#include <memory>
#include <numeric>
#include <utility>
#include <vector>

#include "emulation/block.h"
#include "emulation/launch_limits.h"
#include "emulation/sanitizers.h"

namespace crescendo::emulation {
namespace {

struct Machine {
  Schedule schedule = Schedule::warp_greedy;
  uint32_t seed = 0;
  Block block;
  const std::function<void()>* thread = nullptr;
};

Machine& machine() {
  thread_local Machine machine;
  return machine;
}

Block& running_block() {
  Block& block = machine().block;
  if (!block.running()) throw Error("device code called by the host");
  return block;
}

void enter_thread() {
  std::exception_ptr failure;
  try {
    (*machine().thread)();
  } catch (...) {
    failure = std::current_exception();
  }
  machine().block.finish_running(std::move(failure));
}

std::vector<uint64_t> block_order(const Launch& launch, Plan& plan) {
  std::vector<uint64_t> order(launch.grid.size());
  std::iota(order.begin(), order.end(), uint64_t{0});
  if (plan.schedule == Schedule::shuffled) plan.shuffle(order);
  if (plan.schedule == Schedule::warp_greedy) std::reverse(order.begin(), order.end());
  return order;
}

// The host comes after every block, the blocks not after one another.
class LaunchEnd {
 public:
  LaunchEnd() = default;
  LaunchEnd(const LaunchEnd&) = delete;
  LaunchEnd& operator=(const LaunchEnd&) = delete;
  ~LaunchEnd() {
    if constexpr (kThreadSanitizer) __tsan_acquire(point_.get());
  }
  void* point() const { return point_.get(); }

 private:
  std::unique_ptr<char> point_ = std::make_unique<char>();
};

class BlockEnd {
 public:
  BlockEnd(const Block& block, const LaunchEnd& launch) : block_(block), launch_(launch) {}
  BlockEnd(const BlockEnd&) = delete;
  BlockEnd& operator=(const BlockEnd&) = delete;
  ~BlockEnd() { block_.release_fibers(launch_.point()); }

 private:
  const Block& block_;
  const LaunchEnd& launch_;
};

}  // namespace

WithSchedule::WithSchedule(Schedule schedule, uint32_t seed)
    : previous_schedule_(machine().schedule), previous_seed_(machine().seed) {
  machine().schedule = schedule;
  machine().seed = seed;
}

WithSchedule::~WithSchedule() {
  machine().schedule = previous_schedule_;
  machine().seed = previous_seed_;
}

void run(const Launch& launch, const std::function<void()>& thread) {
  check_limits(launch);
  Machine& machine = emulation::machine();
  if (machine.block.running()) throw Error("launch: by a running kernel");
  machine.thread = &thread;
  Plan plan{machine.schedule, machine.seed, std::mt19937(machine.seed)};
  const UnseenWrites unseen;
  const LaunchEnd launch_end;
  for (const uint64_t number : block_order(launch, plan)) {
    const BlockEnd block_end(machine.block, launch_end);
    machine.block.run(launch, number, plan, &enter_thread);
  }
}

const Index& thread_index() { return running_block().running()->index; }

const Index& block_index() { return running_block().index(); }

const Extent& block_extent() { return running_block().launch().block; }

const Extent& grid_extent() { return running_block().launch().grid; }

void* shared_memory() { return running_block().shared_memory(); }

void barrier(Position at) { running_block().barrier(at); }

uint64_t exchange(const Collective& collective) { return running_block().exchange(collective); }

unsigned lane() { return running_block().running()->lane(); }

Gathered gather(const void* contribution, size_t bytes, Position at) {
  return running_block().gather(contribution, bytes, at);
}

void start_copy(void* to, const void* from, size_t bytes) {
  running_block().running()->copies.start(to, from, bytes);
}

void commit_copies() { running_block().running()->copies.commit(); }

void wait_copies(size_t running) { running_block().running()->copies.wait(running); }

}  // namespace crescendo::emulation

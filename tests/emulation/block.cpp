#include "emulation/block.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <memory>
#include <numeric>
#include <string_view>

#include "emulation/sanitizers.h"

namespace crescendo::emulation {
namespace {

constexpr uint32_t kWholeWarp = 0xFFFFFFFF;

bool same(const Position& a, const Position& b) {
  return a.line == b.line && (a.file == b.file || std::strcmp(a.file, b.file) == 0);
}

bool same(const Collective& a, const Collective& b) {
  return a.operation == b.operation && a.mask == b.mask && same(a.at, b.at);
}

std::string text(const Index& i) {
  return "(" + std::to_string(i.x) + ", " + std::to_string(i.y) + ", " + std::to_string(i.z) + ")";
}

Index index_in(const Extent& extent, uint64_t number) {
  return {static_cast<unsigned>(number % extent.x), static_cast<unsigned>(number / extent.x % extent.y),
          static_cast<unsigned>(number / extent.x / extent.y)};
}

bool has(uint32_t lanes, unsigned lane) { return (lanes >> lane & 1) != 0; }

// The lane that `lane` reads in a shuffle: its own where the segment ends before (PTX: shfl.sync).
unsigned source_lane(const Collective& c, unsigned lane) {
  const unsigned first = lane & ~(c.width - 1), last = first + c.width - 1;
  const unsigned argument = c.argument % kWarpSize;
  switch (c.operation) {
    case Operation::shuffle:
      return first + argument % c.width;
    case Operation::shuffle_up:
      return argument > lane - first ? lane : lane - argument;
    case Operation::shuffle_down:
      return argument > last - lane ? lane : lane + argument;
    default:
      return (lane ^ argument) > last ? lane : lane ^ argument;
  }
}

}  // namespace

std::string Block::name(const Thread& thread) const {
  std::string name = "block " + text(index_) + ", thread " + text(thread.index);
  if (!thread.at.file) return name;
  const std::string_view path = thread.at.file;
  return name + ", " + std::string(path.substr(path.rfind('/') + 1)) + ":" + std::to_string(thread.at.line);
}

void Block::run(const Launch& launch, uint64_t block_number, Plan& plan, void (*entry)()) {
  launch_ = &launch;
  index_ = index_in(launch.grid, block_number);
  block_number_ = block_number;
  count_ = static_cast<unsigned>(launch.block.size());
  prepare(entry);
  while (exited_ < count_) {
    run_phase(plan);
    open_barrier();
  }
  if (!shared_.guards_intact())
    throw Error("block " + text(index_) + " has written outside of its " +
                std::to_string(launch.shared_bytes) + " bytes of shared memory");
}

void Block::prepare(void (*entry)()) {
  exited_ = phase_ = 0;
  shared_.prepare(launch_->shared_bytes);
  warps_.assign((count_ + kWarpSize - 1) / kWarpSize, {});
  while (threads_.size() < count_) threads_.emplace_back();
  for (unsigned i = 0; i < count_; ++i) {
    Thread& thread = threads_[i];
    thread.number = i;
    thread.index = index_in(launch_->block, i);
    thread.state = State::ready;
    thread.at = {};
    thread.failure = nullptr;
    thread.copies.clear();
    thread.fiber.prepare(entry);
    warps_[i / kWarpSize].existing |= 1U << thread.lane();
  }
}

// Moves threads until each waits or has exited.
void Block::run_phase(Plan& plan) {
  if (plan.schedule == Schedule::warp_greedy) return run_warps((phase_ + block_number_ + plan.seed) % 2 != 0);
  order_.resize(count_);
  std::iota(order_.begin(), order_.end(), 0U);
  do
    if (plan.schedule == Schedule::shuffled) plan.shuffle(order_);
  while (move_all(order_));
}

void Block::run_warps(bool descending) {
  const auto warps = static_cast<unsigned>(warps_.size());
  for (unsigned i = 0; i < warps; ++i) {
    const unsigned first = (descending ? warps - 1 - i : i) * kWarpSize;
    order_.resize(std::min(kWarpSize, count_ - first));
    std::iota(order_.begin(), order_.end(), first);
    if (descending) std::reverse(order_.begin(), order_.end());
    while (move_all(order_)) {
    }
  }
}

// Gives each thread a turn; false if none could move.
bool Block::move_all(const std::vector<unsigned>& order) {
  bool moved = false;
  for (const unsigned number : order) moved |= move(threads_[number]);
  return moved;
}

bool Block::move(Thread& thread) {
  if (thread.state != State::ready) return false;
  running_ = &thread;
  thread.fiber.resume();
  running_ = nullptr;
  if (thread.state == State::exited) exit(thread);
  if (thread.state == State::in_collective) arrive(thread);
  return true;
}

// Nobody can move: lets all pass the barrier that all wait at, or says why there is none.
void Block::open_barrier() {
  if (exited_ == count_) return;
  const Thread* first = nullptr;
  for (unsigned i = 0; i < count_; ++i) {
    const Thread& thread = threads_[i];
    if (thread.state == State::in_collective) report_stuck_collective(thread);
    if (thread.state == State::exited) continue;
    if (!first) first = &thread;
    if (!same(thread.at, first->at))
      throw Error(name(*first) + ": divergent barrier: " + name(thread) + " waits at another");
  }
  if (exited_ > 0)
    throw Error(name(*first) + ": divergent barrier: " + std::to_string(exited_) + " of the block's " +
                std::to_string(count_) + " threads have exited");
  for (unsigned i = 0; i < count_; ++i) threads_[i].state = State::ready;
  ++phase_;
  if constexpr (kThreadSanitizer) {
    std::vector<unsigned> all(count_);
    std::iota(all.begin(), all.end(), 0U);
    synchronise(all);
  }
}

void Block::report_stuck_collective(const Thread& thread) const {
  const Warp& warp = warps_[thread.number / kWarpSize];
  for (unsigned lane = 0; lane < kWarpSize; ++lane) {
    if (!has(thread.collective.mask & warp.existing, lane)) continue;
    const Thread& other = threads_[thread.number - thread.lane() + lane];
    if (other.state != State::in_collective || !same(other.collective, thread.collective))
      throw Error(name(thread) + ": deadlock: a collective waits for lane " + std::to_string(lane) +
                  ", but " + name(other) + " waits elsewhere or with another mask");
  }
  throw Error(name(thread) + ": deadlock");
}

void Block::exit(Thread& thread) {
  ++exited_;
  if (thread.failure) std::rethrow_exception(thread.failure);
  Warp& warp = warps_[thread.number / kWarpSize];
  warp.exited |= 1U << thread.lane();
  for (unsigned lane = 0; lane < kWarpSize; ++lane)
    if (has(warp.waiting, lane)) arrive(threads_[thread.number - thread.lane() + lane]);
}

// Completes the collective if `thread` was the last that it waited for.
void Block::arrive(Thread& thread) {
  Warp& warp = warps_[thread.number / kWarpSize];
  const uint32_t lanes = thread.collective.mask & warp.existing;
  if ((lanes & warp.exited) != 0)
    throw Error(name(thread) + ": the collective's mask names lane " +
                std::to_string(std::countr_zero(lanes & warp.exited)) + ", which has exited");
  warp.waiting |= 1U << thread.lane();
  if ((lanes & ~warp.waiting) != 0) return;
  const unsigned first = thread.number - thread.lane();
  for (unsigned lane = 0; lane < kWarpSize; ++lane)
    if (has(lanes, lane) && !same(threads_[first + lane].collective, thread.collective)) return;
  complete(warp, lanes, first);
}

void Block::complete(Warp& warp, uint32_t lanes, unsigned first) {
  std::vector<unsigned> numbers;
  for (unsigned lane = 0; lane < kWarpSize; ++lane)
    if (has(lanes, lane)) numbers.push_back(first + lane);
  if (threads_[numbers.front()].collective.operation == Operation::gather) collect(warp, lanes, first);
  for (const unsigned number : numbers) threads_[number].result = result_of(threads_[number], lanes);
  for (const unsigned number : numbers) threads_[number].state = State::ready;
  warp.waiting &= ~lanes;
  if constexpr (kThreadSanitizer) synchronise(numbers);
}

// All have read what the warp gathered before: they have arrived at the next.
void Block::collect(Warp& warp, uint32_t lanes, unsigned first) {
  if (lanes != kWholeWarp) throw Error(name(threads_[first]) + ": a gather by a part of a warp");
  for (unsigned lane = 0; lane < kWarpSize; ++lane) warp.gathered[lane] = threads_[first + lane].contribution;
}

uint64_t Block::result_of(const Thread& thread, uint32_t lanes) const {
  const unsigned first = thread.number - thread.lane();
  const Collective& c = thread.collective;
  if (c.operation == Operation::synchronise) return 0;
  if (c.operation == Operation::gather)
    return std::bit_cast<uintptr_t>(warps_[thread.number / kWarpSize].gathered.data());
  if (c.operation == Operation::ballot) {
    uint64_t result = 0;
    for (unsigned lane = 0; lane < kWarpSize; ++lane)
      if (has(lanes, lane) && threads_[first + lane].collective.argument != 0) result |= uint64_t{1} << lane;
    return result;
  }
  const unsigned source = source_lane(c, thread.lane());
  if (!has(lanes, source))
    throw Error(name(thread) + ": the shuffle reads lane " + std::to_string(source) +
                ", which is not in its mask or not in the block");
  return threads_[first + source].collective.value;
}

void Block::barrier(Position at) {
  {
    const UnseenWrites unseen;
    running_->at = at;
    running_->state = State::at_barrier;
  }
  running_->fiber.suspend();
}

uint64_t Block::exchange(const Collective& collective) {
  Thread& self = *running_;
  {
    const UnseenWrites unseen;
    self.at = collective.at;
    if (!has(collective.mask, self.lane()))
      throw Error(name(self) + ": the calling lane " + std::to_string(self.lane()) + " is not in the mask");
    if (!std::has_single_bit(collective.width) || collective.width > kWarpSize)
      throw Error(name(self) + ": a shuffle of width " + std::to_string(collective.width));
    self.collective = collective;
    self.state = State::in_collective;
  }
  self.fiber.suspend();
  return self.result;
}

Gathered Block::gather(const void* contribution, size_t bytes, Position at) {
  {
    const UnseenWrites unseen;
    std::memcpy(running_->contribution.data(), contribution, bytes);
  }
  return Gathered(std::bit_cast<const void*>(exchange({Operation::gather, kWholeWarp, 0, 0, kWarpSize, at})));
}

void Block::finish_running(std::exception_ptr failure) {
  {
    const UnseenWrites unseen;
    running_->failure = std::move(failure);
    running_->state = State::exited;
  }
  running_->fiber.leave();
}

void Block::synchronise(const std::vector<unsigned>& numbers) {
  const auto point = std::make_unique<char>();
  for (const unsigned number : numbers) threads_[number].fiber.release(point.get());
  for (const unsigned number : numbers) threads_[number].fiber.acquire(point.get());
}

void Block::release_fibers(void* point) const {
  if constexpr (kThreadSanitizer)
    for (unsigned i = 0; i < count_; ++i) threads_[i].fiber.release(point);
}

}  // namespace crescendo::emulation

#include "engine/allocator.h"

#include <algorithm>
#include <iterator>
#include <limits>
#include <new>
#include <stdexcept>

namespace crescendo {

namespace {

// The sizes of pieces are multiples of this, which keeps the alignment of the backend's own blocks.
constexpr size_t kGranule = 256;
// A chunk has at least 1/kShare of the bytes that are already held. Larger chunks leave more of them unused.
// Smaller chunks leave more gaps, since pieces of two chunks never merge.
constexpr size_t kShare = 16;

size_t in_granules(size_t bytes) {
  if (bytes > std::numeric_limits<size_t>::max() / 2) throw std::bad_alloc();
  return std::max<size_t>(1, (bytes + kGranule - 1) / kGranule) * kGranule;
}

}  // namespace

std::byte* Allocator::Chunk::take(size_t bytes) {
  auto best = free.end();
  for (auto piece = free.begin(); piece != free.end(); ++piece)
    if (piece->second >= bytes && (best == free.end() || piece->second < best->second)) best = piece;
  if (best == free.end()) return nullptr;
  const auto [begin, size] = *best;
  free.erase(best);
  if (size > bytes) free.emplace(begin + bytes, size - bytes);
  return begin;
}

void Allocator::Chunk::give_back(Piece piece) {
  auto next = free.upper_bound(piece.begin);
  if (next != free.end() && piece.begin + piece.bytes == next->first) {
    piece.bytes += next->second;
    next = free.erase(next);
  }
  if (next != free.begin()) {
    const auto before = std::prev(next);
    if (before->first + before->second == piece.begin) {
      before->second += piece.bytes;
      return;
    }
  }
  free.emplace(piece.begin, piece.bytes);
}

Allocator::~Allocator() {
  for (const Chunk& chunk : chunks_) backend_.release(chunk.all.begin, chunk.all.bytes);
}

Allocator::Chunk& Allocator::add_chunk(size_t bytes) {
  size_t size = std::max(bytes, in_granules(held_ / kShare));
  void* block = nullptr;
  try {
    block = backend_.allocate(size);
  } catch (const std::bad_alloc&) {
    if (size == bytes) throw;
    size = bytes;
    block = backend_.allocate(size);
  }
  const Piece all{static_cast<std::byte*>(block), size};
  chunks_.push_back({all, {{all.begin, all.bytes}}});
  ++use_.allocations;
  held_ += size;
  use_.peak = std::max(use_.peak, held_ + workspace_);
  return chunks_.back();
}

Allocator::Chunk& Allocator::chunk_of(const std::byte* begin) {
  return *std::find_if(chunks_.begin(), chunks_.end(), [&](const Chunk& chunk) {
    return begin >= chunk.all.begin && begin < chunk.all.begin + chunk.all.bytes;
  });
}

void* Allocator::allocate(size_t bytes) {
  const std::lock_guard lock(mutex_);
  const size_t size = in_granules(bytes);
  std::byte* begin = nullptr;
  for (size_t i = 0; i < chunks_.size() && begin == nullptr; ++i) begin = chunks_[i].take(size);
  if (begin == nullptr) begin = add_chunk(size).take(size);
  use_.in_use += bytes;
  handed_out_.emplace(begin, size);
  if (watched_ != nullptr) watched_->push_back({begin, size});
  return begin;
}

void Allocator::release(void* block, size_t bytes) {
  const std::lock_guard lock(mutex_);
  auto* const begin = static_cast<std::byte*>(block);
  use_.in_use -= bytes;
  handed_out_.erase(begin);
  chunk_of(begin).give_back({begin, in_granules(bytes)});
}

void Allocator::reserve_workspace(size_t bytes) {
  const std::lock_guard lock(mutex_);
  if (bytes <= workspace_) return;
  backend_.reserve_workspace(bytes);
  workspace_ = bytes;
  use_.peak = std::max(use_.peak, held_ + workspace_);
}

MemoryUse Allocator::use() const {
  const std::lock_guard lock(mutex_);
  return use_;
}

void Allocator::require_free(const std::vector<Piece>& pieces) const {
  const std::lock_guard lock(mutex_);
  const auto taken = [&](const Piece& piece) {
    const auto next = handed_out_.lower_bound(piece.begin + piece.bytes);
    if (next == handed_out_.begin()) return false;
    const auto last = std::prev(next);  // the last piece in use that begins before this one's end
    return last->first + last->second > piece.begin;
  };
  if (std::any_of(pieces.begin(), pieces.end(), taken))
    throw std::logic_error("allocator: memory of captured kernels is in use when they are replayed");
}

PieceWatch::PieceWatch(Allocator& allocator) : allocator_(allocator) {
  const std::lock_guard lock(allocator_.mutex_);
  allocator_.watched_ = &pieces_;
}

PieceWatch::~PieceWatch() {
  const std::lock_guard lock(allocator_.mutex_);
  allocator_.watched_ = nullptr;
}

}  // namespace crescendo

// A caching allocator. It gets chunks of memory from the backend and hands out pieces of them. A released
// piece is merged with its free neighbours. A request gets the smallest free piece that is large enough, at
// the lowest address among equals, in the first chunk that has one. So the result depends only on the pieces
// in use, not on the order of releases nor on later chunks. A training step makes the same requests every
// time. Therefore it gets the same pointers from the second step on, and the backend allocates nothing more.
#pragma once

#include <cstddef>
#include <map>
#include <mutex>
#include <vector>

#include "kernels/backend.h"

namespace crescendo {

struct MemoryUse {
  size_t in_use = 0;       // bytes that are handed out
  size_t peak = 0;         // largest number of bytes ever taken from the backend: chunks and workspace
  size_t allocations = 0;  // number of chunks ever taken from the backend
};

// A range of memory.
struct Piece {
  std::byte* begin = nullptr;
  size_t bytes = 0;
};

class Allocator {
 public:
  explicit Allocator(Backend& backend) : backend_(backend) {}
  Allocator(const Allocator&) = delete;
  Allocator& operator=(const Allocator&) = delete;
  ~Allocator();

  void* allocate(size_t bytes);             // throws std::bad_alloc
  void release(void* block, size_t bytes);  // `bytes` as in allocate()
  void reserve_workspace(size_t bytes);     // grows the backend's workspace, which counts in the peak
  MemoryUse use() const;

  // Throws std::logic_error if any part of these pieces is handed out.
  void require_free(const std::vector<Piece>& pieces) const;

 private:
  friend class PieceWatch;
  using Pieces = std::map<std::byte*, size_t>;  // begin -> bytes

  struct Chunk {
    Piece all;
    Pieces free;
    // Takes `bytes` from the beginning of the best free piece. Returns null if none is large enough.
    std::byte* take(size_t bytes);
    void give_back(Piece piece);
  };

  Chunk& add_chunk(size_t bytes);
  Chunk& chunk_of(const std::byte* begin);

  Backend& backend_;
  mutable std::mutex mutex_;
  std::vector<Chunk> chunks_;
  Pieces handed_out_;
  std::vector<Piece>* watched_ = nullptr;
  MemoryUse use_;
  size_t held_ = 0, workspace_ = 0;
};

// Records the pieces that are handed out during its lifetime.
class PieceWatch {
 public:
  explicit PieceWatch(Allocator& allocator);
  PieceWatch(const PieceWatch&) = delete;
  PieceWatch& operator=(const PieceWatch&) = delete;
  ~PieceWatch();
  const std::vector<Piece>& pieces() const { return pieces_; }

 private:
  Allocator& allocator_;
  std::vector<Piece> pieces_;
};

}  // namespace crescendo

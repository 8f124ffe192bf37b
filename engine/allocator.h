// A caching allocator. It asks the backend for chunks and hands out pieces of them; a piece that comes back
// joins its free neighbours. A request gets, of the first chunk that has any, the smallest free piece that
// holds it, the one at the lowest address among equals. So what it gets depends on what is handed out at the
// time, not on the order in which anything came back, nor on later chunks: a training step makes the same
// requests every time, and from the second step on it gets the same pointers and nothing is allocated.
#pragma once

#include <cstddef>
#include <map>
#include <mutex>
#include <vector>

#include "kernels/backend.h"

namespace crescendo {

struct MemoryUse {
  size_t in_use = 0;       // bytes handed out now
  size_t peak = 0;         // most bytes ever held from the backend: chunks and workspace
  size_t allocations = 0;  // chunks ever asked of the backend
};

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

  void* allocate(size_t bytes);  // throws std::bad_alloc
  void release(void* block, size_t bytes);
  void reserve_workspace(size_t bytes);  // counted in the peak
  MemoryUse use() const;

  // Throws std::logic_error if any of it is handed out.
  void require_free(const std::vector<Piece>& pieces) const;

 private:
  friend class PieceWatch;
  using Pieces = std::map<std::byte*, size_t>;  // bytes by beginning

  struct Chunk {
    Piece all;
    Pieces free;
    // Takes `bytes` from the beginning of the best free piece; null where none is large enough.
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

// Notes the pieces that are handed out while it lives.
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

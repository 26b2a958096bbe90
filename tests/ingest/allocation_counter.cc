// In a file of its own: seen together with a `new`, the compiler takes the pair for a mismatch.
#include "tests/ingest/allocation_counter.h"

#include <atomic>
#include <cstdlib>
#include <new>

namespace {
std::atomic<long> allocations = 0;
}

void* operator new(std::size_t size) {
  allocations.fetch_add(1, std::memory_order_relaxed);  // A count, which orders nothing.
  if (void* const block = std::malloc(size)) return block;
  std::abort();
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return operator new(size); }
void operator delete(void* block) noexcept { std::free(block); }
void operator delete(void* block, std::size_t) noexcept { std::free(block); }

namespace tocsin {

long Allocations() { return allocations.load(std::memory_order_relaxed); }

}  // namespace tocsin

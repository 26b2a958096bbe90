#include "bench/allocated_bytes.h"

#include <malloc.h>

#include <cstdlib>
#include <new>

namespace {

std::size_t allocated_bytes = 0;

}  // namespace

// Not inlined: the compiler would see free of what came from new.
[[gnu::noinline]] void* operator new(std::size_t size) {
  void* block = std::malloc(size);
  if (block == nullptr) std::abort();
  allocated_bytes += malloc_usable_size(block);
  return block;
}
// An allocator that brings operators of its own would serve this one.
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return operator new(size); }
[[gnu::noinline]] void operator delete(void* pointer) noexcept {
  allocated_bytes -= malloc_usable_size(pointer);
  std::free(pointer);
}
void operator delete(void* pointer, std::size_t) noexcept { operator delete(pointer); }

namespace tocsin {

std::size_t AllocatedBytes() { return allocated_bytes; }

}  // namespace tocsin

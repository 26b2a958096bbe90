#include "tests/ingest/work_counter.h"

#include <malloc.h>

#include <cstddef>
#include <cstdlib>
#include <new>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define TOCSIN_COUNTS_BYTES 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define TOCSIN_COUNTS_BYTES 0
#endif
#endif
#ifndef TOCSIN_COUNTS_BYTES
#define TOCSIN_COUNTS_BYTES 1
#endif

namespace {

// Plain integers: the functions below run before anything is constructed.
std::uint64_t steps = 0;
std::uint64_t moved = 0;
std::uint64_t allocated = 0;
std::uint64_t live = 0;
std::uint64_t peak = 0;

void* Allocate(std::size_t size, std::size_t alignment) {
  void* block = nullptr;
  if (alignment <= alignof(std::max_align_t)) {
    block = std::malloc(size);
  } else if (posix_memalign(&block, alignment, size) != 0) {
    block = nullptr;
  }
  if (block == nullptr) std::abort();
  const std::size_t bytes = malloc_usable_size(block);
  allocated += bytes;
  live += bytes;
  if (live > peak) peak = live;
  return block;
}

void Free(void* block) {
  live -= malloc_usable_size(block);
  std::free(block);
}

}  // namespace

// What the compiler calls at every basic block (-fsanitize-coverage=trace-pc).
extern "C" void __sanitizer_cov_trace_pc() { ++steps; }

void* operator new(std::size_t size) { return Allocate(size, 1); }
void* operator new(std::size_t size, std::align_val_t alignment) {
  return Allocate(size, static_cast<std::size_t>(alignment));
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return Allocate(size, 1); }
void operator delete(void* block) noexcept { Free(block); }
void operator delete(void* block, std::size_t) noexcept { Free(block); }
void operator delete(void* block, std::align_val_t) noexcept { Free(block); }
void operator delete(void* block, std::size_t, std::align_val_t) noexcept { Free(block); }

#if TOCSIN_COUNTS_BYTES
// For the whole program: what a library of the system calls is found here first. The file is built
// without the compiler's knowledge of these functions, or it would make calls of the loops in them.
extern "C" {

void* CountedMemcpy(void* to, const void* from, std::size_t size) __asm__("memcpy");
void* CountedMemmove(void* to, const void* from, std::size_t size) __asm__("memmove");
void* CountedMemset(void* to, int byte, std::size_t size) __asm__("memset");
void* CountedMemchr(const void* from, int byte, std::size_t size) __asm__("memchr");
int CountedMemcmp(const void* a, const void* b, std::size_t size) __asm__("memcmp");

void* CountedMemcpy(void* to, const void* from, std::size_t size) {
  moved += size;
  auto* out = static_cast<char*>(to);
  const auto* in = static_cast<const char*>(from);
  for (std::size_t i = 0; i < size; ++i) out[i] = in[i];
  return to;
}

void* CountedMemmove(void* to, const void* from, std::size_t size) {
  moved += size;
  auto* out = static_cast<char*>(to);
  const auto* in = static_cast<const char*>(from);
  if (out <= in) {
    for (std::size_t i = 0; i < size; ++i) out[i] = in[i];
  } else {
    for (std::size_t i = size; i-- > 0;) out[i] = in[i];
  }
  return to;
}

void* CountedMemset(void* to, int byte, std::size_t size) {
  moved += size;
  auto* out = static_cast<char*>(to);
  for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<char>(byte);
  return to;
}

void* CountedMemchr(const void* from, int byte, std::size_t size) {
  const auto* in = static_cast<const char*>(from);
  std::size_t at = 0;
  while (at < size && in[at] != static_cast<char>(byte)) ++at;
  moved += at;
  return at < size ? const_cast<char*>(in + at) : nullptr;
}

int CountedMemcmp(const void* a, const void* b, std::size_t size) {
  const auto* first = static_cast<const unsigned char*>(a);
  const auto* second = static_cast<const unsigned char*>(b);
  std::size_t at = 0;
  while (at < size && first[at] == second[at]) ++at;
  moved += at;
  return at < size ? first[at] - second[at] : 0;
}

}  // extern "C"
#endif

namespace tocsin {

WorkCounter::WorkCounter()
    : begin_{.steps = steps, .moved = moved, .allocated = allocated}, live_(live) {
  peak = live;
}

Work WorkCounter::Done() const {
  return {.steps = steps - begin_.steps,
          .moved = moved - begin_.moved,
          .allocated = allocated - begin_.allocated,
          .peak = peak - live_};
}

}  // namespace tocsin

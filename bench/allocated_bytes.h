// What the program has set aside: counts in operator new and delete, which bench/allocated_bytes.cc
// replaces for the whole program.
//
//   const std::size_t before = AllocatedBytes();
//   …
//   const std::size_t kept = AllocatedBytes() - before;
//
// Blocks count with the size that the allocator gives them. Not thread-safe.
#pragma once

#include <cstddef>

namespace tocsin {

std::size_t AllocatedBytes();

}  // namespace tocsin

// Stops the program where the programmer was wrong; never for input, which gets a status or a
// counter.
//
//   TOCSIN_CHECK(slot < slots.size());
#pragma once

#include <cstdio>
#include <cstdlib>

#define TOCSIN_CHECK(condition)                                                          \
  do {                                                                                   \
    if (!(condition)) [[unlikely]] {                                                     \
      std::fprintf(stderr, "%s:%d: check failed: %s\n", __FILE__, __LINE__, #condition); \
      std::abort();                                                                      \
    }                                                                                    \
  } while (false)

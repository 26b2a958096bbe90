// The arguments that the simulations share, `[SEED [SCALE]]`: a seed gives the same numbers on
// every run, and a scale in (0, 10] how many of them.
#pragma once

#include <cstdint>
#include <cstdlib>

namespace tocsin {

struct SeedAndScale {
  std::uint64_t seed = 1;
  double scale = 1;
};

// What follows them in `argv` is the caller's. False: one is no number, or out of range.
inline bool ReadSeedAndScale(int argc, char** argv, SeedAndScale* read) {
  char* end = nullptr;
  if (argc > 1) {
    read->seed = std::strtoull(argv[1], &end, 10);
    if (*end != '\0') return false;
  }
  if (argc > 2) {
    read->scale = std::strtod(argv[2], &end);
    if (*end != '\0') return false;
  }
  return read->scale > 0 && read->scale <= 10;
}

}  // namespace tocsin

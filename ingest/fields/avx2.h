// For the few loops that are worth it: functions compiled for processors with AVX2 and BMI, as x86
// servers have been since 2015, and whether this one is such.
//
//   TOCSIN_AVX2 void ReadFast(…);              // beside one for all others
//   HasAvx2() ? ReadFast(…) : Read(…);
//
// Where TOCSIN_AVX2 is not defined there are none.
#pragma once

#ifdef __x86_64__
#include <immintrin.h>

#define TOCSIN_AVX2 __attribute__((target("avx2,bmi")))
#endif

namespace tocsin {

inline bool HasAvx2() {
#ifdef TOCSIN_AVX2
  static const bool has = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi");
  return has;
#else
  return false;
#endif
}

}  // namespace tocsin

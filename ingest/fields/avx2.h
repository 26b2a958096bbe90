// Compiles single functions for processors with AVX2 and BMI, which x86 servers have had since
// 2015, and detects such a processor at run time. For the few loops where that pays off.
//
//   TOCSIN_AVX2 void ReadFast(…);              // next to a Read for all other processors
//   HasAvx2() ? ReadFast(…) : Read(…);
//
// TOCSIN_AVX2 is defined only on x86-64.
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

#include "core/math.h"

#include <algorithm>
#include <bit>
#include <limits>

#if defined(__SSE2__)
#include <emmintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace tocsin {
namespace {

// ln 2 in two parts; the first has its last 21 bits zero, so that k · kLn2High is exact.
// Source of the constants and of both series: fdlibm (Sun Microsystems, 1993), e_log.c and e_exp.c.
constexpr double kLn2High = 6.93147180369123816490e-01;
constexpr double kLn2Low = 1.90821492927058770002e-10;
constexpr double kInverseLn2 = 1.44269504088896338700e+00;

constexpr int kMantissaBits = 52;
constexpr int kExponentBias = 1023;

// 2^k. REQUIRES: -1022 ≤ k ≤ 1023.
double PowerOfTwo(int k) {
  return std::bit_cast<double>(static_cast<std::uint64_t>(k + kExponentBias) << kMantissaBits);
}

// At p = 0 the product is its limit, 0, because Log is finite there.
double DivergenceTerm(double p, double q) { return p * Log(p / q); }

}  // namespace

double Log(double x) {
  if (!(x > 0)) return -745.2;
  int k = 0;
  if (x < std::numeric_limits<double>::min()) {
    constexpr double kTwoTo54 = 18014398509481984.0;
    x *= kTwoTo54;
    k = -54;
  }
  // x = 2^k · (1 + f) with √½ ≤ 1 + f < √2: adding the distance from √½ to 1 carries into the
  // exponent exactly when the mantissa is above √2.
  constexpr std::uint64_t kSqrtHalf = 0x3fe6a09e00000000;
  constexpr std::uint64_t kOne = 0x3ff0000000000000;
  constexpr std::uint64_t kMantissa = (std::uint64_t{1} << kMantissaBits) - 1;
  const std::uint64_t shifted = std::bit_cast<std::uint64_t>(x) + (kOne - kSqrtHalf);
  k += static_cast<int>(shifted >> kMantissaBits) - kExponentBias;
  const double f = std::bit_cast<double>((shifted & kMantissa) + kSqrtHalf) - 1.0;

  // With s = f / (2 + f): log(1 + f) = 2s + s·R(s²), where R is a minimax polynomial.
  const double s = f / (2.0 + f);
  const double z = s * s;
  const double w = z * z;
  const double even = w * (3.999999999940941908e-01 +
                           w * (2.222219843214978396e-01 + w * 1.531383769920937332e-01));
  const double odd = z * (6.666666666666735130e-01 +
                          w * (2.857142874366239149e-01 +
                               w * (1.818357216161805012e-01 + w * 1.479819860511658591e-01)));
  const double half_square = 0.5 * f * f;
  const double exponent = k;
  return s * (half_square + even + odd) + exponent * kLn2Low - half_square + f +
         exponent * kLn2High;
}

double Exp(double x) {
  if (x != x) return x;
  if (x > 709.782712893383973096) return std::numeric_limits<double>::max();
  if (x < -745) return 0;
  // x = k·ln 2 + r with |r| ≤ ½ ln 2, r in two parts.
  const int k = static_cast<int>(x * kInverseLn2 + (x < 0 ? -0.5 : 0.5));
  const double high = x - k * kLn2High;
  const double low = k * kLn2Low;
  const double r = high - low;
  const double z = r * r;
  const double c =
      r - z * (1.66666666666666019037e-01 +
               z * (-2.77777777770155933842e-03 +
                    z * (6.61375632143793436117e-05 +
                         z * (-1.65339022054652515390e-06 + z * 4.13813679705723846039e-08))));
  const double y = 1.0 + (r * c / (2.0 - c) - low + high);
  // Outside the range of one factor the scaling takes two, of which only the last can round.
  if (k > kExponentBias) return y * 2.0 * PowerOfTwo(k - 1);
  if (k < 1 - kExponentBias) return y * PowerOfTwo(k + 1000) * PowerOfTwo(-1000);
  return y * PowerOfTwo(k);
}

double Pow(double x, double y) { return Exp(y * Log(x)); }

double SquareRoot(double x) {
  // The instruction itself: std::sqrt may call libm to set errno.
#if defined(__SSE2__)
  return _mm_cvtsd_f64(_mm_sqrt_pd(_mm_set1_pd(x)));
#elif defined(__aarch64__)
  return vget_lane_f64(vsqrt_f64(vdup_n_f64(x)), 0);
#else
  return __builtin_sqrt(x);
#endif
}

double BernoulliDivergence(double p, double q) {
  const double divergence = DivergenceTerm(p, q) + DivergenceTerm(1 - p, 1 - q);
  return std::max(divergence, 0.0);  // rounding may leave it just below
}

double WilsonUpper90(double bad, double total) {
  if (!(total > 0)) return 1;
  constexpr double kZ = 1.2816;
  const double p = std::clamp(bad / total, 0.0, 1.0);
  const double z2_per_n = kZ * kZ / total;
  const double spread = kZ * SquareRoot(p * (1 - p) / total + z2_per_n / (4 * total));
  return std::clamp((p + z2_per_n / 2 + spread) / (1 + z2_per_n), 0.0, 1.0);
}

}  // namespace tocsin

#include "core/number_text.h"

#include "absl/strings/str_cat.h"
#include "core/json_writer.h"

namespace tocsin {
namespace {

// To a multiple of 1 / scale, half away from zero, without libm.
double Rounded(double value, double scale) {
  const double scaled = value * scale;
  if (!(scaled > -1e15 && scaled < 1e15)) return value;
  return static_cast<double>(static_cast<std::int64_t>(scaled + (scaled < 0 ? -0.5 : 0.5))) / scale;
}

}  // namespace

std::string PercentText(double ratio) {
  const double percent = ratio * 100;
  return absl::StrCat(FormatNumber(Rounded(percent, percent < 10 ? 100 : 10)), " %");
}

std::string ShortNumber(double value) {
  return FormatNumber(Rounded(value, value < 10 && value > -10 ? 100 : 10));
}

std::string GroupedNumber(std::int64_t value) {
  std::string digits = std::to_string(value);
  const std::size_t sign = value < 0 ? 1 : 0;
  for (std::size_t at = digits.size(); at > sign + 3;) {
    at -= 3;
    digits.insert(at, 1, ',');
  }
  return digits;
}

std::string RoughDuration(DurationUs duration) {
  const auto rounded = [duration](DurationUs unit) { return (duration + unit / 2) / unit; };
  if (duration < 2 * kMinuteUs) return absl::StrCat(rounded(kSecondUs), " s");
  if (duration < 2 * kHourUs) return absl::StrCat(rounded(kMinuteUs), " min");
  return absl::StrCat(rounded(kHourUs), " h");
}

}  // namespace tocsin

#include "detectors/statistics/trend.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "core/math.h"

namespace tocsin {
namespace {

// In slots: an hour, two, four.
constexpr std::array<std::size_t, 3> kLengths = {12, 24, Trend::kSlots};
constexpr double kCertainZ = 3;
constexpr double kBoundZ = 1.645;  // 90 %
constexpr double kRestartShare = 0.7;
constexpr double kCorrelationMax = 0.9;
constexpr double kSlotsPerHour = static_cast<double>(kHourUs) / Trend::kSlot;

// Lag-1 autocorrelation: products of successive residuals over their squares.
double LagOneCorrelation(const std::vector<double>& residuals) {
  double mean = 0;
  for (const double residual : residuals) mean += residual;
  mean /= static_cast<double>(residuals.size());
  double squares = 0, products = 0;
  for (std::size_t i = 0; i < residuals.size(); ++i) {
    const double here = residuals[i] - mean;
    squares += here * here;
    if (i + 1 < residuals.size()) products += here * (residuals[i + 1] - mean);
  }
  return squares > 0 ? std::clamp(products / squares, 0.0, kCorrelationMax) : 0;
}

}  // namespace

void Trend::Add(TimeUs pane_start, double level) {
  const std::int64_t number = FloorTo(pane_start, kSlot) / kSlot;
  if (number == current_) {
    minimum_ = std::min(minimum_, level);
    return;
  }
  if (current_ != INT64_MIN) Complete();
  current_ = number;
  minimum_ = level;
}

void Trend::Complete() {
  if (count_ > 0 && minimum_ < kRestartShare * minima_[count_ - 1]) {
    count_ = 0;
    if (restarts_ < std::numeric_limits<std::int32_t>::max()) ++restarts_;
  }
  if (count_ == kSlots) {
    std::copy(minima_.begin() + 1, minima_.end(), minima_.begin());
    std::copy(numbers_.begin() + 1, numbers_.end(), numbers_.begin());
    --count_;
  }
  minima_[count_] = static_cast<float>(minimum_);
  numbers_[count_++] = static_cast<std::int32_t>(current_);
  Judge();
}

void Trend::Judge() {
  line_ = Line();
  // The rise may have ended: the last hour must not rule out the slope.
  double high_now = std::numeric_limits<double>::infinity();
  for (const std::size_t slots : kLengths) {
    // A window only slightly shorter than the available data says less than all of it.
    if (slots < kSlots && count_ < slots + slots / 2) continue;
    Line line = Fit(std::min<std::size_t>(slots, count_));
    if (slots == kLengths.front()) high_now = line.high;
    line.rising = line.rising && line.low <= high_now;
    const bool surer = line.rising && (!line_.rising || line.low > line_.low);
    if (surer || (!line_.rising && slots == kSlots)) line_ = line;
  }
}

Trend::Line Trend::Fit(std::size_t slots) const {
  Line line;
  if (slots < 3) return line;
  const float* const minimum = &minima_[count_ - slots];
  const std::int32_t* const number = &numbers_[count_ - slots];
  std::int64_t score = 0;
  std::vector<double> slopes;
  slopes.reserve(slots * (slots - 1) / 2);
  for (std::size_t i = 0; i < slots; ++i) {
    for (std::size_t j = i + 1; j < slots; ++j) {
      const double gain = double{minimum[j]} - double{minimum[i]};
      score += gain > 0 ? 1 : gain < 0 ? -1 : 0;
      slopes.push_back(gain / (number[j] - number[i]));
    }
  }
  std::sort(slopes.begin(), slopes.end());
  const double slope = slopes[slopes.size() / 2];
  std::vector<double> minima, residuals;
  for (std::size_t i = 0; i < slots; ++i) {
    minima.push_back(minimum[i]);
    residuals.push_back(minimum[i] - slope * (number[i] - number[0]));
  }
  const auto spread = [](double n) { return n * (n - 1) * (2 * n + 5) / 18; };
  double variance = spread(static_cast<double>(slots));
  std::sort(minima.begin(), minima.end());
  for (auto at = minima.begin(); at != minima.end();) {  // correct for ties
    const auto end = std::upper_bound(at, minima.end(), *at);
    if (end - at > 1) variance -= spread(static_cast<double>(end - at));
    at = end;
  }
  const double correlation = LagOneCorrelation(residuals);
  variance *= (1 + correlation) / (1 - correlation);
  if (!(variance > 0)) return line;
  const double deviation = SquareRoot(variance);
  line.rising = static_cast<double>(score) - 1 > kCertainZ * deviation && slope > 0;
  line.slope = static_cast<float>(slope * kSlotsPerHour);
  // Sen 1968: the slopes whose ranks are this far from the middle.
  const double middle = static_cast<double>(slopes.size()) / 2;
  const auto at_rank = [&](double rank) {
    const double last = static_cast<double>(slopes.size() - 1);
    const double limit = slopes[static_cast<std::size_t>(std::clamp(rank, 0.0, last))];
    return static_cast<float>(limit * kSlotsPerHour);
  };
  line.low = at_rank(middle - kBoundZ * deviation / 2);
  line.high = at_rank(middle + kBoundZ * deviation / 2);
  return line;
}

std::optional<DurationUs> Trend::TimeLeft(TimeUs now) const {
  if (!line_.rising) return std::nullopt;
  const double hours = std::min((1 - level()) / double{line_.slope}, 365.0 * 24);
  const TimeUs measured = (std::int64_t{numbers_[count_ - 1]} + 1) * kSlot;
  return std::max<DurationUs>(
      0, static_cast<DurationUs>(hours * static_cast<double>(kHourUs)) - (now - measured));
}

void Trend::Encode(ByteWriter* out) const {
  out->Varint(count_);
  for (std::size_t i = 0; i < count_; ++i) {
    out->Signed(numbers_[i]);
    out->Double(minima_[i]);
  }
  out->Signed(current_);
  out->Double(minimum_);
  out->Signed(restarts_);
}

void Trend::Decode(ByteReader* in) {
  const std::size_t count = in->Count(9);
  if (count > kSlots) in->Fail();
  count_ = in->ok() ? static_cast<std::uint32_t>(count) : 0;
  for (std::size_t i = 0; i < count_; ++i) {
    const std::int64_t number = in->Signed();
    const double minimum = in->Double();
    if (!(std::fabs(minimum) <= std::numeric_limits<float>::max())) in->Fail();
    minima_[i] = in->ok() ? static_cast<float>(minimum) : 0;
    if (number < 0 || number > std::numeric_limits<std::int32_t>::max()) in->Fail();
    numbers_[i] = in->ok() ? static_cast<std::int32_t>(number) : 0;
    // Fit divides by the distance.
    if (i > 0 && numbers_[i] <= numbers_[i - 1]) in->Fail();
  }
  current_ = in->Signed();
  minimum_ = in->Double();
  const std::int64_t restarts = in->Signed();
  if (restarts < 0 || restarts > std::numeric_limits<std::int32_t>::max()) in->Fail();
  if (!in->ok()) {
    count_ = 0;
    return;
  }
  restarts_ = static_cast<std::int32_t>(restarts);
  Judge();
}

}  // namespace tocsin

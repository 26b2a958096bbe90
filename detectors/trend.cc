#include "detectors/trend.h"

#include <algorithm>
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

// Mean of the residuals' products with their successors over that of their squares.
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
  if (count_ > 0 && minimum_ < kRestartShare * slots_[count_ - 1].minimum) {
    count_ = 0;
    ++restarts_;
  }
  if (count_ == kSlots) {
    std::copy(slots_.begin() + 1, slots_.end(), slots_.begin());
    --count_;
  }
  slots_[count_++] = {.number = current_, .minimum = minimum_};
  Judge();
}

void Trend::Judge() {
  line_ = Line();
  level_ = count_ > 0 ? slots_[count_ - 1].minimum : 0;
  for (const std::size_t slots : kLengths) {
    // A part of what there is says less than all of it, unless it is clearly shorter.
    if (slots < kSlots && count_ < slots + slots / 2) continue;
    const Line line = Fit(std::min(slots, count_));
    const bool surer = line.rising && (!line_.rising || line.low > line_.low);
    if (surer || (!line_.rising && slots == kSlots)) line_ = line;
  }
}

Trend::Line Trend::Fit(std::size_t slots) const {
  Line line;
  if (slots < 3) return line;
  const Slot* const first = &slots_[count_ - slots];
  std::int64_t score = 0;
  std::vector<double> slopes;
  slopes.reserve(slots * (slots - 1) / 2);
  for (std::size_t i = 0; i < slots; ++i) {
    for (std::size_t j = i + 1; j < slots; ++j) {
      const double gain = first[j].minimum - first[i].minimum;
      score += gain > 0 ? 1 : gain < 0 ? -1 : 0;
      slopes.push_back(gain / static_cast<double>(first[j].number - first[i].number));
    }
  }
  std::sort(slopes.begin(), slopes.end());
  const double slope = slopes[slopes.size() / 2];
  std::vector<double> minima, residuals;
  for (std::size_t i = 0; i < slots; ++i) {
    minima.push_back(first[i].minimum);
    residuals.push_back(first[i].minimum -
                        slope * static_cast<double>(first[i].number - first[0].number));
  }
  const auto spread = [](double n) { return n * (n - 1) * (2 * n + 5) / 18; };
  double variance = spread(static_cast<double>(slots));
  std::sort(minima.begin(), minima.end());
  for (auto at = minima.begin(); at != minima.end();) {  // ties say nothing
    const auto end = std::upper_bound(at, minima.end(), *at);
    if (end - at > 1) variance -= spread(static_cast<double>(end - at));
    at = end;
  }
  const double correlation = LagOneCorrelation(residuals);
  variance *= (1 + correlation) / (1 - correlation);
  if (!(variance > 0)) return line;
  const double deviation = SquareRoot(variance);
  line.rising = static_cast<double>(score) - 1 > kCertainZ * deviation && slope > 0;
  line.slope = slope * kSlotsPerHour;
  // Sen 1968: the slopes whose ranks are that far from the middle.
  const double middle = static_cast<double>(slopes.size()) / 2;
  const auto at_rank = [&](double rank) {
    const double last = static_cast<double>(slopes.size() - 1);
    return slopes[static_cast<std::size_t>(std::clamp(rank, 0.0, last))] * kSlotsPerHour;
  };
  line.low = at_rank(middle - kBoundZ * deviation / 2);
  line.high = at_rank(middle + kBoundZ * deviation / 2);
  return line;
}

std::optional<DurationUs> Trend::TimeLeft(TimeUs now) const {
  if (!line_.rising) return std::nullopt;
  const double hours = std::min((1 - level_) / line_.slope, 365.0 * 24);
  const TimeUs measured = (slots_[count_ - 1].number + 1) * kSlot;
  return std::max<DurationUs>(
      0, static_cast<DurationUs>(hours * static_cast<double>(kHourUs)) - (now - measured));
}

void Trend::Encode(ByteWriter* out) const {
  out->Varint(count_);
  for (std::size_t i = 0; i < count_; ++i) {
    out->Signed(slots_[i].number);
    out->Double(slots_[i].minimum);
  }
  out->Signed(current_);
  out->Double(minimum_);
  out->Signed(restarts_);
}

void Trend::Decode(ByteReader* in) {
  const std::size_t count = in->Count(9);
  if (count > kSlots) in->Fail();
  count_ = in->ok() ? count : 0;
  for (std::size_t i = 0; i < count_; ++i) {
    slots_[i].number = in->Signed();
    slots_[i].minimum = in->Double();
    // Judge divides by the distance.
    if (i > 0 && slots_[i].number <= slots_[i - 1].number) in->Fail();
  }
  current_ = in->Signed();
  minimum_ = in->Double();
  restarts_ = in->Signed();
  if (!in->ok()) {
    count_ = 0;
    return;
  }
  Judge();
}

}  // namespace tocsin

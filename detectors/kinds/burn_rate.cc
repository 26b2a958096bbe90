// burn_rate: the error budget of an objective is spent too fast.
//
//   kind: burn_rate
//   where: {type: request}                       # the default type
//   by: [service]
//   objective: 99.9%                             # the share that must succeed
//   critical: {level: 2}                         # 14.4 × over 1h and 5m, or 6 × over 6h and 30m
//   warn: {level: 3}                             # 1 × over 3d and 6h
//
//   critical: {rate: 10, long: 2h, short: 10m}   # or a custom pair of windows
//
// A burn rate of 1 spends exactly the budget by the end of the period; the pairs are those of
// Google's SRE workbook: the long window shows that it matters, the short one that it is still
// going on. A level holds while both windows burn at the rate and the failures of the long one are
// evidence: a log-likelihood ratio of h for their share against the budget (or half the rate, if
// that is less). So one failure among two requests is not enough. Clears when no short window burns
// at its rate any more. Windows are counted in minutes, those beyond six hours in half hours.
#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/math.h"
#include "core/number_text.h"
#include "detectors/evidence.h"
#include "detectors/stanza.h"
#include "detectors/statistics/window.h"

namespace tocsin {
namespace {

constexpr DurationUs kShortMax = 6 * kHourUs;
constexpr DurationUs kLongMax = 3 * kDayUs;
constexpr int kMinutes = CountRing::kExactPanes;
constexpr int kMiddleMinutes = 20, kMiddleSlots = 15;  // to 6 h
constexpr int kOldMinutes = 180, kOldSlots = 22;       // to 3 d

struct BurnWindows {
  double rate = 0;
  DurationUs length = 0;  // the long one
  DurationUs brief = 0;   // the short one, at most kShortMax
};
const std::vector<BurnWindows> kWarnDefault = {{1, 3 * kDayUs, 6 * kHourUs}};
const std::vector<BurnWindows> kCriticalDefault = {{14.4, kHourUs, 5 * kMinuteUs},
                                                   {6, 6 * kHourUs, 30 * kMinuteUs}};

enum MeasureIndex : std::size_t { kTotal, kFailed };

class BurnRate;

PaneCount Plus(PaneCount a, PaneCount b) {
  const auto saturated = [](std::uint64_t sum) {
    return static_cast<std::uint32_t>(std::min<std::uint64_t>(sum, UINT32_MAX));
  };
  return {.bad = saturated(std::uint64_t{a.bad} + b.bad),
          .total = saturated(std::uint64_t{a.total} + b.total)};
}

void Write(PaneCount count, ByteWriter* out) {
  out->Varint(count.bad);
  out->Varint(count.total);
}

PaneCount Read(ByteReader* in) {
  const std::uint64_t bad = in->Varint(), total = in->Varint();
  if (bad > UINT32_MAX || total > UINT32_MAX) in->Fail();
  if (!in->ok()) return {};
  return {.bad = static_cast<std::uint32_t>(bad), .total = static_cast<std::uint32_t>(total)};
}

// Slots of equal length, filled part by part with counts that are too old to be kept at the finer
// resolution.
template <std::size_t kSlots, int kSlotMinutes, int kPartMinutes>
class OldSlots {
 public:
  // Returns the oldest slot, which drops out, if this part completes a new slot.
  std::optional<PaneCount> Push(PaneCount part) {
    open_ = Plus(open_, part);
    open_minutes_ = static_cast<std::uint8_t>(open_minutes_ + kPartMinutes);
    if (open_minutes_ < kSlotMinutes) return std::nullopt;
    const PaneCount last = slots_.back();
    std::move_backward(slots_.begin(), slots_.end() - 1, slots_.end());
    slots_.front() = open_;
    open_ = {};
    open_minutes_ = 0;
    return last;
  }
  // Adds the counts of the newest `minutes`, and subtracts the minutes that it covered.
  void AddTo(std::int64_t* minutes, std::int64_t* bad, std::int64_t* total) const {
    const auto add = [&](const PaneCount& slot, int length) {
      if (*minutes <= 0 || length == 0) return;
      const std::int64_t part = std::min<std::int64_t>(*minutes, length);
      *bad += slot.bad * part / length;
      *total += slot.total * part / length;
      *minutes -= length;
    };
    add(open_, open_minutes_);
    for (const PaneCount& slot : slots_) add(slot, kSlotMinutes);
  }
  void Encode(ByteWriter* out) const {
    for (const PaneCount& slot : slots_) Write(slot, out);
    Write(open_, out);
    out->Byte(open_minutes_);
  }
  void Decode(ByteReader* in) {
    for (PaneCount& slot : slots_) slot = Read(in);
    open_ = Read(in);
    open_minutes_ = in->Byte();
    if (open_minutes_ >= kSlotMinutes || open_minutes_ % kPartMinutes != 0) in->Fail();
  }

 private:
  std::array<PaneCount, kSlots> slots_{};  // newest first
  PaneCount open_;
  std::uint8_t open_minutes_ = 0;
};

// Three days of counts.
class BudgetCounts {
 public:
  void Add(TimeUs time, std::int64_t bad, std::int64_t total);
  // The counts of the open minute and of `length` before it.
  PaneCount Sum(DurationUs length) const;
  // The onset of the stretch in which every minute up to now has at least this share of bad events:
  // in its first minute or at the end of the one before. Minutes without events do not end the
  // stretch. Unknown if the open minute has less.
  OnsetInterval AboveSince(double share) const;
  std::string RatesJson() const { return minutes_.RatesJson(); }

  void Encode(ByteWriter* out) const;
  void Decode(ByteReader* in);

 private:
  void Push(std::int64_t bad, std::int64_t total);

  CountRing minutes_{kMinutes};  // complete minutes
  OldSlots<kMiddleSlots, kMiddleMinutes, 1> middle_;
  OldSlots<kOldSlots, kOldMinutes, kMiddleMinutes> old_;
  std::int64_t number_ = INT64_MIN;  // of the open minute
  std::int64_t bad_ = 0, total_ = 0;
};

class BurnRateSeries : public SeriesState {
 public:
  explicit BurnRateSeries(const BurnRate* detector);
  Reading Update(const PaneContext& pane, const SpecCells& cells) override;
  std::vector<Evidence> Explain() const override;
  void Encode(ByteWriter* out) const override;
  void Decode(ByteReader* in) override;

 private:
  const BurnRate* detector_;
  BudgetCounts counts_;
  // What Explain describes: the highest level that holds, else the first one, and its pair that is
  // nearest to its rate.
  std::size_t slot_, pair_ = 0;
};

class BurnRate : public Detector {
 public:
  BurnRate(DetectorCommon common, const DetectorEnvironment& environment, double failure_budget,
           std::array<std::vector<BurnWindows>, 2> pairs_of_level)
      : Detector(std::move(common)),
        budget(failure_budget),
        h(environment.EvidenceThreshold()),
        pairs(std::move(pairs_of_level)) {
    DefaultType(EventType::kRequest, &common_.where);
  }
  SeriesSpec Spec() const override {
    return SpecOf(common_, {Measure::Count(), Measure::CountFailed()});
  }
  std::unique_ptr<SeriesState> NewSeries() const override {
    return std::make_unique<BurnRateSeries>(this);
  }
  std::string Title(const Signal& signal) const override {
    return absl::StrCat("the error budget of ", SeriesText(signal), " burns at ",
                        ShortNumber(signal.value), " times its rate (",
                        ShortNumber(signal.threshold), " is the limit)");
  }

  double Burn(const PaneCount& count) const {
    return count.total == 0 ? 0 : static_cast<double>(count.bad) / count.total / budget;
  }
  // Enough failures to distinguish their share, which burns at least at the rate, from the budget.
  // The chance of a share this high is below e^−h there (Chernoff); a lower rate never needs more.
  bool Evident(const PaneCount& count, double rate) const {
    const double share = static_cast<double>(count.bad) / count.total;
    const double usual = std::min(budget, rate * budget / 2);
    return count.total * BernoulliDivergence(share, usual) >= h;
  }

  double budget;  // the share that may fail
  double h;
  std::array<std::vector<BurnWindows>, 2> pairs;
};

void BudgetCounts::Push(std::int64_t bad, std::int64_t total) {
  const PaneCount left = minutes_.At(kMinutes - 1);
  minutes_.Push(bad, total);
  if (const std::optional<PaneCount> slot = middle_.Push(left)) old_.Push(*slot);
}

void BudgetCounts::Add(TimeUs time, std::int64_t bad, std::int64_t total) {
  const std::int64_t number = FloorTo(time, kMinuteUs) / kMinuteUs;
  if (number_ == INT64_MIN) number_ = number;
  if (number - number_ > kLongMax / kMinuteUs) {  // everything is too old
    *this = BudgetCounts();
    number_ = number;
  }
  for (; number_ < number; ++number_) {
    Push(bad_, total_);
    bad_ = total_ = 0;
  }
  bad_ += bad;
  total_ += total;
}

PaneCount BudgetCounts::Sum(DurationUs length) const {
  std::int64_t minutes = length / kMinuteUs, bad = bad_, total = total_;
  const auto exact = static_cast<int>(std::min<std::int64_t>(minutes, kMinutes));
  for (int age = 0; age < exact; ++age) {
    bad += minutes_.At(age).bad;
    total += minutes_.At(age).total;
  }
  minutes -= exact;
  middle_.AddTo(&minutes, &bad, &total);
  old_.AddTo(&minutes, &bad, &total);
  constexpr std::int64_t kMax = UINT32_MAX;
  return {.bad = static_cast<std::uint32_t>(std::min(bad, kMax)),
          .total = static_cast<std::uint32_t>(std::min(total, kMax))};
}

OnsetInterval BudgetCounts::AboveSince(double share) const {
  if (static_cast<double>(bad_) < share * static_cast<double>(total_)) return {};
  int above = 0;
  for (; above < kMinutes; ++above) {
    const PaneCount minute = minutes_.At(above);
    if (minute.bad < share * minute.total) break;
  }
  const TimeUs first = (number_ - above) * kMinuteUs;
  return {.earliest = first - kMinuteUs, .latest = first + kMinuteUs};
}

void BudgetCounts::Encode(ByteWriter* out) const {
  minutes_.Encode(out);
  middle_.Encode(out);
  old_.Encode(out);
  out->Signed(number_);
  out->Signed(bad_);
  out->Signed(total_);
}

void BudgetCounts::Decode(ByteReader* in) {
  minutes_.Decode(in);
  middle_.Decode(in);
  old_.Decode(in);
  number_ = in->Signed();
  constexpr std::int64_t kNumberMax = INT64_MAX / kMinuteUs;
  if (number_ != INT64_MIN && (number_ > kNumberMax || number_ < -kNumberMax)) in->Fail();
  bad_ = in->Signed();
  total_ = in->Signed();
}

BurnRateSeries::BurnRateSeries(const BurnRate* detector)
    : detector_(detector), slot_(detector->common().level[0].set ? 0 : 1) {}

Reading BurnRateSeries::Update(const PaneContext& pane, const SpecCells& cells) {
  const std::int64_t total = cells.cell.present() ? cells.Count(kTotal) : 0;
  const std::int64_t failed = cells.cell.present() ? cells.Count(kFailed) : 0;
  counts_.Add(pane.start, failed, total);
  Reading reading;
  bool found = false;  // whether a level to explain was found
  for (std::size_t slot = 0; slot < 2; ++slot) {
    if (!detector_->common().level[slot].set) continue;
    LevelReading& out = reading.level[slot];
    bool burning = false, known = false, breach = false;
    double worst = -1;
    std::size_t nearest = 0;
    for (std::size_t i = 0; i < detector_->pairs[slot].size(); ++i) {
      const BurnWindows& pair = detector_->pairs[slot][i];
      const PaneCount longer = counts_.Sum(pair.length), shorter = counts_.Sum(pair.brief);
      const double burn = detector_->Burn(longer);
      known = known || shorter.total > 0;
      const bool goes_on = detector_->Burn(shorter) >= pair.rate;
      burning = burning || goes_on;
      breach = breach || (goes_on && burn >= pair.rate && detector_->Evident(longer, pair.rate));
      if (burn / pair.rate > worst) {
        worst = burn / pair.rate;
        out.value = burn;
        out.threshold = pair.rate;
        nearest = i;
      }
    }
    if (breach || !found) {
      slot_ = slot;
      pair_ = nearest;
      found = true;
    }
    if (!known || pane.partial) continue;
    if (breach) {
      const BurnWindows& pair = detector_->pairs[slot][nearest];
      reading.began = counts_.AboveSince(pair.rate * detector_->budget);
      if (!reading.began.known()) reading.began = {pane.end - pair.brief, pane.end};
    }
    out.verdict = breach ? Verdict::kBreach : burning ? Verdict::kBetween : Verdict::kClear;
  }
  return reading;
}

std::vector<Evidence> BurnRateSeries::Explain() const {
  const BurnWindows& pair = detector_->pairs[slot_][pair_];
  const PaneCount longer = counts_.Sum(pair.length);
  return EvidenceList()
      .Text("window", "long", FormatDuration(pair.length))
      .Text("window", "short", FormatDuration(pair.brief))
      .Int("samples", "events", longer.total)
      .Int("samples", "failed", longer.bad)
      .Number("baseline", "budget", detector_->budget)
      .Number("threshold", "burn_rate", pair.rate)
      .Number("value", "burn_rate_short", detector_->Burn(counts_.Sum(pair.brief)))
      .Json("panes", "rate", counts_.RatesJson())
      .Take();
}

void BurnRateSeries::Encode(ByteWriter* out) const {
  counts_.Encode(out);
  out->Varint(slot_);
  out->Varint(pair_);
}

void BurnRateSeries::Decode(ByteReader* in) {
  counts_.Decode(in);
  const std::uint64_t slot = in->Varint(), pair = in->Varint();
  if (slot > 1 || pair >= detector_->pairs[slot > 1 ? 0 : slot].size()) in->Fail();
  if (!in->ok()) return;
  slot_ = slot;
  pair_ = pair;
}

std::vector<BurnWindows> ReadPairs(ConfigReader& level, int slot) {
  const std::optional<double> rate = level.OptionalNumber("rate", 0.1, 1'000);
  const DurationUs longer = level.Duration("long", kHourUs, 10 * kMinuteUs, kLongMax);
  const DurationUs shorter = level.Duration("short", 5 * kMinuteUs, kMinuteUs, kShortMax);
  const bool own = level.Has("rate") || level.Has("long") || level.Has("short");
  if (!own) return slot == 0 ? kWarnDefault : kCriticalDefault;
  if (!level.Has("rate") || !level.Has("long") || !level.Has("short")) {
    level.Missing("", "a custom window pair requires 'rate', 'long' and 'short'");
  } else if (shorter >= longer && level.Sound("long") && level.Sound("short")) {
    level.Error("short", "short is not shorter than long");
  }
  return {{.rate = rate.value_or(1), .length = longer, .brief = shorter}};
}

}  // namespace

std::unique_ptr<Detector> NewBurnRate(const DetectorConfig& stanza,
                                      const DetectorEnvironment& environment, ErrorList* errors) {
  ConfigReader reader(stanza.node, absl::StrCat("detector ", stanza.name), errors);
  const std::optional<double> objective = reader.OptionalRatio("objective");
  if (reader.Sound("objective") && (!objective || *objective < 0.5 || *objective > 0.99999)) {
    reader.Error("objective",
                 "objective: expected the share that must succeed, from 50% to 99.999%");
  }
  std::array<std::vector<BurnWindows>, 2> pairs;
  DetectorCommon common =
      ReadCommon(stanza, {.category = Category::kAvailability}, &reader, errors,
                 [&](ConfigReader& level, int slot, LevelConfig* config) {
                   pairs[static_cast<std::size_t>(slot)] = ReadPairs(level, slot);
                   config->above = pairs[static_cast<std::size_t>(slot)].front().rate;
                 });
  reader.Finish();
  // Levels without pairs are not set; Explain needs one that is.
  return std::make_unique<BurnRate>(std::move(common), environment, 1 - objective.value_or(0.999),
                                    std::move(pairs));
}

}  // namespace tocsin

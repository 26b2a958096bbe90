// burn_rate: the error budget of an objective is spent too fast.
//
//   kind: burn_rate
//   where: {type: request}                       # the default type
//   by: [service]
//   objective: 99.9%                             # the share that must succeed
//   critical: {level: 2}                         # 14.4 × over 1h and 5m, or 6 × over 6h and 30m
//   warn: {level: 3}                             # 1 × over 3d and 6h
//
//   critical: {rate: 10, long: 2h, short: 10m}   # or a pair of one's own
//
// A burn rate of 1 spends exactly the budget by the end of the period; the pairs are those of
// Google's SRE workbook: the long window says that it matters, the short one that it goes on. A
// level holds while both burn at the rate and the failures of the long one are evidence: a
// log-likelihood of h for that rate against the budget (or half the rate, if that is less). So one
// failure among two requests is none. Clears when no short window burns at its rate any more.
// Windows are counted in minutes, those beyond six hours in half hours.
#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/math.h"
#include "detectors/evidence.h"
#include "detectors/stanza.h"
#include "detectors/window.h"

namespace tocsin {
namespace {

constexpr DurationUs kFine = kMinuteUs;
constexpr DurationUs kCoarse = 30 * kMinuteUs;
constexpr DurationUs kFineMax = 6 * kHourUs;
constexpr DurationUs kLongMax = 3 * kDayUs;

struct BurnWindows {
  double rate = 0;
  DurationUs length = 0;  // the long one
  DurationUs brief = 0;   // the short one, at most kFineMax
};
const std::vector<BurnWindows> kWarnDefault = {{1, 3 * kDayUs, 6 * kHourUs}};
const std::vector<BurnWindows> kCriticalDefault = {{14.4, kHourUs, 5 * kMinuteUs},
                                                   {6, 6 * kHourUs, 30 * kMinuteUs}};

enum MeasureIndex : std::size_t { kTotal, kFailed };

class BurnRate;

// Counts in slots of one length, the newest of them still open.
class SlotCounts {
 public:
  SlotCounts(DurationUs slot, DurationUs longest)
      : slot_(slot), ring_(static_cast<int>(longest / slot) + 1) {}
  void Add(TimeUs time, std::int64_t bad, std::int64_t total);
  // Of the open slot and the complete ones of so long a time before it.
  PaneCount Sum(DurationUs length) const;
  const CountRing& ring() const { return ring_; }

  void Encode(ByteWriter* out) const;
  void Decode(ByteReader* in);

 private:
  DurationUs slot_;
  CountRing ring_;
  std::int64_t number_ = INT64_MIN;  // of the open slot
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
  PaneCount Sum(DurationUs length) const {
    return length <= kFineMax ? fine_.Sum(length) : coarse_.Sum(length);
  }

  const BurnRate* detector_;
  SlotCounts fine_, coarse_;
  // What Explain is about: the highest level that holds, else the first, and its nearest pair.
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
  // Enough failures to tell this rate from the budget.
  bool Evident(const PaneCount& count, double rate) const {
    const double p1 = std::min(rate * budget, 0.99);
    const double p0 = std::min(budget, p1 / 2);
    const double good = static_cast<double>(count.total) - count.bad;
    return count.bad * Log(p1 / p0) + good * Log((1 - p1) / (1 - p0)) >= h;
  }

  double budget;  // the share that may fail
  double h;
  std::array<std::vector<BurnWindows>, 2> pairs;
};

void SlotCounts::Add(TimeUs time, std::int64_t bad, std::int64_t total) {
  const std::int64_t number = FloorTo(time, slot_) / slot_;
  if (number_ == INT64_MIN) number_ = number;
  for (std::int64_t i = 0; number_ < number; ++number_, ++i) {
    if (i > ring_.capacity()) {  // all that was is forgotten
      number_ = number;
      break;
    }
    ring_.Push(bad_, total_);
    bad_ = total_ = 0;
  }
  bad_ += bad;
  total_ += total;
}

PaneCount SlotCounts::Sum(DurationUs length) const {
  std::int64_t bad = bad_, total = total_;
  for (int age = 0; age < static_cast<int>(length / slot_); ++age) {
    bad += ring_.At(age).bad;
    total += ring_.At(age).total;
  }
  constexpr std::int64_t kMax = UINT32_MAX;
  return {.bad = static_cast<std::uint32_t>(std::min(bad, kMax)),
          .total = static_cast<std::uint32_t>(std::min(total, kMax))};
}

void SlotCounts::Encode(ByteWriter* out) const {
  ring_.Encode(out);
  out->Signed(number_);
  out->Signed(bad_);
  out->Signed(total_);
}

void SlotCounts::Decode(ByteReader* in) {
  ring_.Decode(in);
  number_ = in->Signed();
  bad_ = in->Signed();
  total_ = in->Signed();
}

BurnRateSeries::BurnRateSeries(const BurnRate* detector)
    : detector_(detector),
      fine_(kFine, kFineMax),
      coarse_(kCoarse, kLongMax),
      slot_(detector->common().level[0].set ? 0 : 1) {}

Reading BurnRateSeries::Update(const PaneContext& pane, const SpecCells& cells) {
  const std::int64_t total = cells.cell.present() ? cells.Count(kTotal) : 0;
  const std::int64_t failed = cells.cell.present() ? cells.Count(kFailed) : 0;
  fine_.Add(pane.start, failed, total);
  coarse_.Add(pane.start, failed, total);
  Reading reading;
  bool told = false;  // a level was found to explain
  for (std::size_t slot = 0; slot < 2; ++slot) {
    if (!detector_->common().level[slot].set) continue;
    LevelReading& out = reading.level[slot];
    bool burning = false, known = false, breach = false;
    double worst = -1;
    std::size_t nearest = 0;
    for (std::size_t i = 0; i < detector_->pairs[slot].size(); ++i) {
      const BurnWindows& pair = detector_->pairs[slot][i];
      const PaneCount longer = Sum(pair.length), shorter = Sum(pair.brief);
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
    if (breach || !told) {
      slot_ = slot;
      pair_ = nearest;
      told = true;
    }
    if (!known || pane.partial) continue;
    out.verdict = breach ? Verdict::kBreach : burning ? Verdict::kBetween : Verdict::kClear;
  }
  return reading;
}

std::vector<Evidence> BurnRateSeries::Explain() const {
  const BurnWindows& pair = detector_->pairs[slot_][pair_];
  const PaneCount longer = Sum(pair.length);
  return EvidenceList()
      .Text("window", "long", FormatDuration(pair.length))
      .Text("window", "short", FormatDuration(pair.brief))
      .Int("samples", "events", longer.total)
      .Int("samples", "failed", longer.bad)
      .Number("baseline", "budget", detector_->budget)
      .Number("threshold", "burn_rate", pair.rate)
      .Number("value", "burn_rate_short", detector_->Burn(Sum(pair.brief)))
      .Json("panes", "rate", fine_.ring().RatesJson())
      .Take();
}

void BurnRateSeries::Encode(ByteWriter* out) const {
  fine_.Encode(out);
  coarse_.Encode(out);
  out->Varint(slot_);
  out->Varint(pair_);
}

void BurnRateSeries::Decode(ByteReader* in) {
  fine_.Decode(in);
  coarse_.Decode(in);
  const std::uint64_t slot = in->Varint(), pair = in->Varint();
  if (slot > 1 || pair >= detector_->pairs[slot > 1 ? 0 : slot].size()) in->Fail();
  if (!in->ok()) return;
  slot_ = slot;
  pair_ = pair;
}

std::vector<BurnWindows> ReadPairs(ConfigReader& level, int slot) {
  const std::optional<double> rate = level.OptionalNumber("rate", 0.1, 1'000);
  const DurationUs longer = level.Duration("long", kHourUs, 10 * kMinuteUs, kLongMax);
  const DurationUs shorter = level.Duration("short", 5 * kMinuteUs, kMinuteUs, kFineMax);
  const bool own = level.Has("rate") || level.Has("long") || level.Has("short");
  if (!own) return slot == 0 ? kWarnDefault : kCriticalDefault;
  if (!level.Has("rate") || !level.Has("long") || !level.Has("short")) {
    level.Error("", "a pair of one's own needs 'rate', 'long' and 'short'");
  } else if (shorter >= longer) {
    level.Error("short", "short is not shorter than long");
  }
  return {{.rate = rate.value_or(1), .length = longer, .brief = shorter}};
}

}  // namespace

std::unique_ptr<Detector> NewBurnRate(const DetectorConfig& stanza,
                                      const DetectorEnvironment& environment, ErrorList* errors) {
  ConfigReader reader(stanza.node, absl::StrCat("detector ", stanza.name), errors);
  const std::optional<double> objective = reader.OptionalRatio("objective");
  if (!objective || *objective < 0.5 || *objective > 0.99999) {
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

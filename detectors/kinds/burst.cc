// burst: k events within a window, in total or per address, user or another field (`per`).
//
//   kind: burst
//   where: {type: auth, outcome: failure}
//   by: [service]
//   per: client_ip                           # each value is counted separately
//   critical: {count: 10, window: 1m, level: 2}
//
//   kind: burst
//   pattern: "(?i)out of memory|oom-?kill"   # log lines whose message matches; default type: log
//   by: [service]
//   critical: {count: 1, window: 1m, level: 2}
//
// Counted over the window plus one pane, so that no burst is cut in two. `above` means the same as
// `count`. Clears when the window holds fewer than `clear` events, by default `count`; with `per`,
// when no value has that many. With `per` a value's count is what Space-Saving guarantees (count −
// error, k = 256 a pane): among more than 25 other values a second it may be too low, never too
// high (key_counts.h). The evidence lists the values of `per` that reached the count, and other
// frequent values.
#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "core/hash.h"
#include "core/limits.h"
#include "core/number_text.h"
#include "core/string_hash.h"
#include "detectors/evidence.h"
#include "detectors/stanza.h"
#include "detectors/statistics/key_counts.h"
#include "detectors/statistics/window.h"

namespace tocsin {
namespace {

constexpr std::uint32_t kTopEvents = 16;
// Limited, because values of `per` are counted pane by pane.
constexpr DurationUs kPerWindowMax = 10 * kMinuteUs;
constexpr std::int64_t kCountMax = 1'000'000'000;
// The most values that the evidence lists.
constexpr std::uint32_t kCulprits = 16;

enum MeasureIndex : std::size_t { kEvents, kFirstTop };

class Burst;

class BurstSeries : public SeriesState {
 public:
  explicit BurstSeries(const Burst* detector);
  Reading Update(const PaneContext& pane, const SpecCells& cells) override;
  std::vector<Evidence> Explain() const override;
  void Encode(ByteWriter* out) const override;
  void Decode(ByteReader* in) override;

 private:
  // Counts for one level: in its window plus one pane, and in the window alone.
  struct Counted {
    std::int64_t wider = 0, window = 0;
  };
  std::array<Counted, 2> Count() const;
  void Remember(const SpecCells& cells);
  // Keeps the values of `per` that reached the count, while any of them does or a signal fires.
  void NameCulprits(const PaneContext& pane, const SpecCells& cells);

  const Burst* detector_;
  CountRing ring_;
  std::array<WindowSum, 2> sums_;  // the window plus one pane
  std::array<Counted, 2> counted_;
  // Only with `per`.
  std::unique_ptr<KeyCounts> per_;
  std::unique_ptr<SpaceSaving> culprits_;  // with the largest count of each; null: none
  // The most frequent values since the window was last empty; null for most series.
  std::unique_ptr<std::vector<SpaceSaving>> tops_;
};

class Burst : public Detector {
 public:
  Burst(DetectorCommon common, const DetectorEnvironment& environment,
        std::optional<Field> counted_per, std::string pattern_text)
      : Detector(std::move(common)), per(counted_per), pattern(std::move(pattern_text)) {
    for (std::size_t slot = 0; slot < 2; ++slot) {
      if (!common_.level[slot].set) continue;
      panes[slot] = PanesOf(common_.level[slot].window, environment.pane);
      window_panes = std::max(window_panes, panes[slot] + 1);
    }
    const auto add = [&](EventType type, std::initializer_list<Field> fields) {
      if (!common_.where.MatchesType(type)) return;
      for (const Field field : fields) {
        const bool known = std::count(top_fields.begin(), top_fields.end(), field) > 0;
        if (!known && field != per && !GroupsBy(common_, field)) top_fields.push_back(field);
      }
    };
    add(EventType::kAuth, {Field::kClientIp, Field::kUser});
    add(EventType::kRequest, {Field::kEndpoint, Field::kClientIp, Field::kUserAgent});
    add(EventType::kLog, {Field::kHost, Field::kException});
  }
  SeriesSpec Spec() const override {
    std::vector<Measure> measures = {Measure::Count()};
    for (const Field field : top_fields) measures.push_back(Measure::TopK(field, kTopEvents));
    if (per) measures.push_back(Measure::TopK(*per, limits::kTopKAuth));
    return SpecOf(common_, std::move(measures));
  }
  std::unique_ptr<SeriesState> NewSeries() const override {
    return std::make_unique<BurstSeries>(this);
  }
  std::string Title(const Signal& signal) const override {
    return absl::StrCat(ShortNumber(signal.value),
                        pattern.empty() ? " events of " : " log lines of ", SeriesText(signal),
                        per ? absl::StrCat(" from one ", ToAbsl(FieldName(*per))) : std::string(),
                        " within ", FormatDuration(LevelOf(common_, signal).window), " (",
                        ShortNumber(signal.threshold), " or more)");
  }

  std::optional<Field> per;
  std::string pattern;
  std::vector<Field> top_fields;
  std::array<int, 2> panes = {1, 1};
  int window_panes = 1;  // the longest window plus one pane
};

BurstSeries::BurstSeries(const Burst* detector)
    : detector_(detector),
      ring_(std::max(detector->window_panes, kPlotPanes) + 1),
      sums_{WindowSum(0, detector->panes[0] + 1), WindowSum(0, detector->panes[1] + 1)} {
  if (detector->per) per_ = std::make_unique<KeyCounts>(detector->window_panes);
}

std::array<BurstSeries::Counted, 2> BurstSeries::Count() const {
  const std::array<int, 2>& panes = detector_->panes;
  if (per_ != nullptr) {
    std::array<std::int64_t, 4> most{};
    per_->Largest(std::array{panes[0] + 1, panes[0], panes[1] + 1, panes[1]}, most);
    return {Counted{.wider = most[0], .window = most[1]},
            Counted{.wider = most[2], .window = most[3]}};
  }
  std::array<Counted, 2> counted;
  for (std::size_t slot = 0; slot < 2; ++slot) {
    WindowSum window(0, panes[slot]);
    window.Recount(ring_);
    counted[slot] = {.wider = sums_[slot].total(), .window = window.total()};
  }
  return counted;
}

Reading BurstSeries::Update(const PaneContext& pane, const SpecCells& cells) {
  ring_.Push(0, cells.cell.present() ? cells.Count(kEvents) : 0);
  for (WindowSum& sum : sums_) sum.Slide(ring_);
  Remember(cells);
  counted_ = Count();
  NameCulprits(pane, cells);
  Reading reading;
  for (std::size_t slot = 0; slot < 2; ++slot) {
    const LevelConfig& level = detector_->common().level[slot];
    if (!level.set) continue;
    const auto wider = static_cast<double>(counted_[slot].wider),
               window = static_cast<double>(counted_[slot].window);
    reading.level[slot] = {.verdict = wider >= level.above   ? Verdict::kBreach
                                      : window < level.clear ? Verdict::kClear
                                                             : Verdict::kBetween,
                           .value = wider,
                           .threshold = level.above};
    // Unless all events came in this pane, the first may be anywhere in the window.
    const bool at_once = per_ == nullptr && static_cast<double>(ring_.At(0).total) >= level.above;
    if (wider >= level.above && !at_once) {
      reading.began = {.earliest = pane.end - level.window - pane.pane, .latest = pane.end};
    }
  }
  return reading;
}

void BurstSeries::Remember(const SpecCells& cells) {
  const std::size_t fields = detector_->top_fields.size();
  if (per_ != nullptr) {
    per_->NextPane(cells.cell.present() ? &cells.Top(kFirstTop + fields) : nullptr);
  }
  if (sums_[0].total() == 0 && sums_[1].total() == 0) {
    tops_.reset();
    return;
  }
  if (!cells.cell.present() || fields == 0) return;
  if (tops_ == nullptr) {
    tops_ = std::make_unique<std::vector<SpaceSaving>>(fields, SpaceSaving(kTopEvents));
  }
  for (std::size_t i = 0; i < fields; ++i) (*tops_)[i].Merge(cells.Top(kFirstTop + i));
}

void BurstSeries::NameCulprits(const PaneContext& pane, const SpecCells& cells) {
  if (per_ == nullptr) return;
  absl::flat_hash_map<std::uint64_t, std::int64_t> reached;
  for (std::size_t slot = 0; slot < 2; ++slot) {
    const LevelConfig& level = detector_->common().level[slot];
    if (!level.set || static_cast<double>(counted_[slot].wider) < level.above) continue;
    const auto least = static_cast<std::int64_t>(level.above);
    for (const KeyCounts::Entry& entry : per_->AtLeast(least, detector_->panes[slot] + 1)) {
      std::int64_t& count = reached[entry.key];
      count = std::max(count, entry.count);
    }
  }
  // A value reaches the count in a pane that contains it, so its name is taken from there.
  std::vector<SpaceSaving::Entry> named;
  const auto take = [&](const SpaceSaving& sketch, bool always) {
    for (SpaceSaving::Entry& entry : sketch.Top(sketch.k())) {
      const auto found = reached.find(Hash64(entry.key));
      if (found == reached.end() && !always) continue;
      if (!always) entry.count = 0;
      if (found != reached.end()) {
        entry.count = std::max(entry.count, found->second);
        reached.erase(found);
      }
      named.push_back(std::move(entry));
    }
  };
  if (culprits_ != nullptr) take(*culprits_, /*always=*/pane.firing);
  if (!reached.empty() && cells.cell.present()) {
    take(cells.Top(kFirstTop + detector_->top_fields.size()), /*always=*/false);
  }
  culprits_.reset();
  if (named.empty()) return;
  std::sort(named.begin(), named.end(), [](const auto& a, const auto& b) {
    return a.count != b.count ? a.count > b.count : a.key < b.key;
  });
  if (named.size() > kCulprits) named.resize(kCulprits);
  culprits_ = std::make_unique<SpaceSaving>(kCulprits);
  for (const SpaceSaving::Entry& entry : named) culprits_->Add(entry.key, entry.count);
}

std::vector<Evidence> BurstSeries::Explain() const {
  const std::array<LevelConfig, 2>& levels = detector_->common().level;
  const auto breached = [&](std::size_t slot) {
    return static_cast<double>(counted_[slot].wider) >= levels[slot].above;
  };
  const std::size_t slot = !levels[0].set || (levels[1].set && breached(1)) ? 1 : 0;
  EvidenceList list;
  list.Text("window", "duration", FormatDuration(levels[slot].window))
      .Int("samples", "events", sums_[slot].total())
      .Number("threshold", "count", levels[slot].above);
  if (!detector_->pattern.empty()) list.Text("pattern", "message", detector_->pattern);
  if (culprits_ != nullptr) list.Top(FieldName(*detector_->per), *culprits_, 10);
  if (tops_ != nullptr) {
    for (std::size_t i = 0; i < tops_->size(); ++i) {
      list.Top(FieldName(detector_->top_fields[i]), (*tops_)[i], 5);
    }
  }
  return list.Json("panes", "events", ring_.TotalsJson()).Take();
}

void BurstSeries::Encode(ByteWriter* out) const {
  ring_.Encode(out);
  if (per_ != nullptr) per_->Encode(out);
  out->Bool(culprits_ != nullptr);
  if (culprits_ != nullptr) culprits_->Encode(out);
  out->Bool(tops_ != nullptr);
  if (tops_ == nullptr) return;
  for (const SpaceSaving& top : *tops_) top.Encode(out);
}

void BurstSeries::Decode(ByteReader* in) {
  ring_.Decode(in);
  for (WindowSum& sum : sums_) sum.Recount(ring_);
  if (per_ != nullptr) per_->Decode(in);
  culprits_.reset();
  if (in->Bool()) {
    culprits_ = std::make_unique<SpaceSaving>(SpaceSaving::Decode(in));
    if (culprits_->k() != kCulprits || per_ == nullptr) in->Fail();
  }
  counted_ = Count();
  tops_.reset();
  if (!in->Bool()) return;
  tops_ = std::make_unique<std::vector<SpaceSaving>>();
  for (std::size_t i = 0; i < detector_->top_fields.size(); ++i) {
    tops_->push_back(SpaceSaving::Decode(in));
  }
}

// The stanza with `message: {matches: pattern}` in its `where`.
DetectorConfig WithPattern(const DetectorConfig& stanza, ErrorList* errors) {
  const ConfigNode* pattern = stanza.node.Find("pattern");
  if (pattern == nullptr || pattern->kind != ConfigNode::Kind::kScalar) return stanza;
  const ConfigNode* where = stanza.node.Find("where");
  if (where != nullptr && where->Find("message") != nullptr) {
    errors->Add(where->Find("message")->at,
                "pattern and where.message both match the message: use only one");
    return stanza;
  }
  const auto map_of = [&](const char* key, ConfigNode value) {
    ConfigNode node;
    node.kind = ConfigNode::Kind::kMap;
    node.at = pattern->at;
    node.map.emplace_back(key, std::move(value));
    node.key_locations.push_back(pattern->at);
    return node;
  };
  DetectorConfig merged = stanza;
  merged.node =
      MergeNodes(stanza.node, map_of("where", map_of("message", map_of("matches", *pattern))));
  return merged;
}

std::optional<Field> ReadPer(ConfigReader* reader) {
  if (!reader->Has("per")) return std::nullopt;
  const std::string name = reader->RequiredString("per");
  const std::optional<Field> field = FieldFromName(name);
  if (!field && !name.empty())
    reader->Error("per", absl::StrCat("per: '", name, "' is not a string field of an event"));
  return field;
}

}  // namespace

std::unique_ptr<Detector> NewBurst(const DetectorConfig& original,
                                   const DetectorEnvironment& environment, ErrorList* errors) {
  const DetectorConfig stanza = WithPattern(original, errors);
  ConfigReader reader(stanza.node, absl::StrCat("detector ", stanza.name), errors);
  const std::string pattern = reader.Has("pattern") ? reader.RequiredString("pattern") : "";
  const std::optional<Field> per = ReadPer(&reader);
  // Many log lines of one pattern usually mean that a resource has run out.
  const Category category = pattern.empty() ? Category::kAvailability : Category::kCapacity;
  DetectorCommon common = ReadCommon(
      stanza, {.category = category, .window = kMinuteUs}, &reader, errors,
      [&](ConfigReader& level, int, LevelConfig* config) {
        const bool alias = level.Has("above");
        if (alias && level.Has("count")) level.Error("above", "count and above mean the same here");
        const std::int64_t count = level.Int(alias ? "above" : "count", 1, 1, kCountMax);
        config->above = static_cast<double>(count);
        const std::int64_t clear_max =
            level.Sound("above") && level.Sound("count") ? count : kCountMax;
        config->clear = static_cast<double>(level.Int("clear", count, 1, clear_max));
        if (per && config->window > kPerWindowMax) {
          level.Error("window",
                      absl::StrCat("window: with 'per' at most ", FormatDuration(kPerWindowMax)));
          config->window = kPerWindowMax;
        }
      });
  if (!pattern.empty()) {
    DefaultType(EventType::kLog, &common.where);
  } else if (stanza.node.Find("where") == nullptr) {
    reader.Missing("", "burst needs 'where' or 'pattern' to select events");
  }
  reader.Finish();
  return std::make_unique<Burst>(std::move(common), environment, per, pattern);
}

}  // namespace tocsin

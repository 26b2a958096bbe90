// The keys that every detector stanza has, read once for all kinds.
//
//   ConfigReader reader(stanza.node, "detector " + stanza.name, errors);
//   DetectorCommon common = ReadCommon(stanza, {.category = Category::kCapacity}, &reader, errors,
//       [&](ConfigReader& level, int, LevelConfig* c) { c->above = level.Ratio("above", 0.8); });
//   reader.Number("max", …);          // the kind's own keys
//   reader.Finish();                  // reports unknown keys
//
// Stanza: name, kind, inputs, where, by, warn, critical, keep_firing_for, min_volume, category,
// drifts, and for operators advice, advice_if, escalate_to, runbook, title. A level: window, for,
// level, and the kind's own keys. Pure functions.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "config/config.h"
#include "config/node.h"
#include "detectors/detector.h"

namespace tocsin {

struct StanzaDefaults {
  Category category = Category::kAvailability;
  DurationUs window = 5 * kMinuteUs;
  bool degraded_only = false;
  Drift drift = Drift::kNever;
};

// Bounds the counts that a window keeps: 6 h of single panes would be 17 KiB a series and level.
inline constexpr DurationUs kWindowMax = 6 * kHourUs;

// `read_level` is called for each level that is present, after its common keys: [0] warn, [1]
// critical.
DetectorCommon ReadCommon(
    const DetectorConfig& stanza, const StanzaDefaults& defaults, ConfigReader* reader,
    ErrorList* errors,
    absl::FunctionRef<void(ConfigReader& reader, int slot, LevelConfig*)> read_level);

// Reports errors in the keys that all kinds share, for a stanza of an unknown kind.
void CheckCommon(const DetectorConfig& stanza, ErrorList* errors);

// Reads `above` and `clear` of a level whose unit is a share: 5% or 0.05, `clear` defaulting to
// half.
void ReadShareAbove(ConfigReader& reader, int slot, LevelConfig* level);

// Makes a `where` without a type select events of this type.
void DefaultType(EventType type, Predicate* where);

// True when `by` has the field.
bool GroupsBy(const DetectorCommon& common, Field field);

// The events and series of the stanza with these measures.
SeriesSpec SpecOf(const DetectorCommon& common, std::vector<Measure> measures);

// The level that a signal was raised at: critical if the threshold is that of critical, else the
// first configured one.
const LevelConfig& LevelOf(const DetectorCommon& common, const Signal& signal);

// "service=api endpoint=/x", without the scope's labels; "all" if there are no others.
std::string SeriesText(const Signal& signal);

}  // namespace tocsin

// The keys that every detector stanza has, read once for all kinds.
//
//   ConfigReader reader(stanza.node, "detector " + stanza.name, errors);
//   DetectorCommon common = ReadCommon(stanza, {.category = Category::kCapacity}, &reader, errors,
//       [&](ConfigReader& level, int, LevelConfig* c) { c->above = level.Ratio("above", 0.8); });
//   reader.Number("max", …);          // the kind's own keys
//   reader.Finish();                  // reports what nobody asked for
//
// Stanza: name, kind, inputs, where, by, warn, critical, keep_firing_for, min_volume, category,
// drifts, and for people advice, runbook, title. A level: window, for, level, and what the kind
// reads. Pure functions.
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

// A window keeps a count a pane: 6 h are 17 KiB a series and level at most.
inline constexpr DurationUs kWindowMax = 6 * kHourUs;

// `read_level` gets each level that is present, after its common keys: [0] warn, [1] critical.
DetectorCommon ReadCommon(
    const DetectorConfig& stanza, const StanzaDefaults& defaults, ConfigReader* reader,
    ErrorList* errors,
    absl::FunctionRef<void(ConfigReader& reader, int slot, LevelConfig*)> read_level);

// Looks for what is wrong with the keys that all kinds share, in a stanza of an unknown kind.
void CheckCommon(const DetectorConfig& stanza, ErrorList* errors);

// `above` and `clear` of a level whose unit is a share: 5% or 0.05, clearing at half of it.
void ReadShareAbove(ConfigReader& reader, int slot, LevelConfig* level);

// `where` without a type reads events of this one.
void DefaultType(EventType type, Predicate* where);

// True when `by` has the field.
bool GroupsBy(const DetectorCommon& common, Field field);

// The events and series of the stanza with these measures.
SeriesSpec SpecOf(const DetectorCommon& common, std::vector<Measure> measures);

// The level that a signal was raised at: the last one with its threshold, else the first there is.
const LevelConfig& LevelOf(const DetectorCommon& common, const Signal& signal);

// "service=api endpoint=/x", without the scope's labels; "all" where there are no others.
std::string SeriesText(const Signal& signal);

}  // namespace tocsin

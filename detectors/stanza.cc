#include "detectors/stanza.h"

#include <algorithm>
#include <array>

#include "absl/strings/str_cat.h"
#include "core/json_writer.h"
#include "core/labels.h"
#include "core/string_hash.h"

namespace tocsin {
namespace {

constexpr std::array<Category, 5> kCategories = {Category::kAvailability, Category::kPerformance,
                                                 Category::kSecurity, Category::kData,
                                                 Category::kCapacity};

// The error message for a field that is not allowed in `by`: why, and what to use instead; empty if
// it is allowed.
std::string RefusedBy(const FieldRef& field) {
  if (field.kind != FieldRef::Kind::kField) return "";
  switch (field.field) {
    case Field::kClientIp:
      return "by: client_ip would make a series per address; kind storm lists the top addresses";
    case Field::kUser:
      return "by: user would make a series per user; an incident counts distinct users by itself";
    case Field::kTraceId:
      return "by: trace_id would make a series per request; use service or endpoint";
    default:
      return "";
  }
}

std::vector<FieldRef> ReadBy(ConfigReader* reader) {
  std::vector<FieldRef> by;
  for (const ConfigNode& name : reader->Texts("by")) {
    const std::optional<FieldRef> field = FieldRef::Parse(name.scalar);
    if (!field) {
      reader->errors()->Add(name.at,
                            absl::StrCat("by: unknown field '", name.scalar,
                                         "': expected a field of an event, or labels.NAME"));
      continue;
    }
    if (std::string refused = RefusedBy(*field); !refused.empty()) {
      reader->errors()->Add(name.at, std::move(refused));
      continue;
    }
    by.push_back(*field);
  }
  return by;
}

Category ReadCategory(Category fallback, ConfigReader* reader) {
  std::vector<std::string> names;
  names.reserve(kCategories.size());
  for (const Category category : kCategories) names.emplace_back(CategoryName(category));
  const std::string name = reader->Choice("category", names, std::string(CategoryName(fallback)));
  for (const Category category : kCategories) {
    if (CategoryName(category) == name) return category;
  }
  return fallback;
}

}  // namespace

DetectorCommon ReadCommon(
    const DetectorConfig& stanza, const StanzaDefaults& defaults, ConfigReader* reader,
    ErrorList* errors,
    absl::FunctionRef<void(ConfigReader& reader, int slot, LevelConfig*)> read_level) {
  // These keys are read by the configuration and the correlator.
  for (const char* key : {"name", "kind", "advice", "advice_if", "escalate_to", "runbook", "title"})
    reader->Node(key);
  DetectorCommon common;
  common.name = stanza.name;
  common.kind = stanza.kind;
  common.inputs = reader->Strings("inputs");
  common.where = Predicate::Parse(reader->Node("where"), errors);
  common.by = ReadBy(reader);
  common.keep_firing_for = reader->Duration("keep_firing_for", kMinuteUs, 0, kDayUs);
  common.min_volume = reader->Int("min_volume", 0, 0, INT64_MAX / 2);
  common.category = ReadCategory(defaults.category, reader);
  common.degraded_only = defaults.degraded_only;
  common.drift = defaults.drift;
  if (reader->Has("drifts")) {
    common.drift = reader->Bool("drifts", false) ? Drift::kAlways : Drift::kNever;
  }
  constexpr std::array<const char*, 2> kKeys = {"warn", "critical"};
  constexpr std::array<int, 2> kSeverity = {3, 2};
  bool wanted = false;
  for (int slot = 0; slot < 2; ++slot) {
    const auto at = static_cast<std::size_t>(slot);
    const bool present = reader->Has(kKeys[at]);
    const ConfigNode* node = reader->Node(kKeys[at]);
    wanted = wanted || present;
    if (node == nullptr) continue;
    ConfigReader level_reader(*node, absl::StrCat(kKeys[at], " of detector ", stanza.name), errors);
    if (node->kind != ConfigNode::Kind::kMap) continue;
    LevelConfig& level = common.level[at];
    level.set = true;
    level.window = level_reader.Duration("window", defaults.window, kSecondUs, kWindowMax);
    level.hold = level_reader.Duration("for", 0, 0, kDayUs);
    level.level = static_cast<int>(level_reader.Int("level", kSeverity[at], 1, 4));
    read_level(level_reader, slot, &level);
    level_reader.Finish();
  }
  if (!wanted) {
    reader->Missing("", absl::StrCat("detector ", stanza.name, " needs 'warn' or 'critical'"));
  }
  return common;
}

void CheckCommon(const DetectorConfig& stanza, ErrorList* errors) {
  ConfigReader reader(stanza.node, absl::StrCat("detector ", stanza.name), errors);
  ReadCommon(stanza, {}, &reader, errors, [&](ConfigReader& level, int slot, LevelConfig*) {
    const ConfigNode* node = stanza.node.Find(slot == 0 ? "warn" : "critical");
    for (const ConfigNode::Entry& entry : node->map) level.Node(entry.key);
  });
}

void ReadShareAbove(ConfigReader& reader, int, LevelConfig* level) {
  if (!reader.Has("above")) reader.Missing("", "needs 'above', a share such as above: 5%");
  level->above = reader.Ratio("above", 0.05);
  if (level->above <= 0 || level->above >= 1) {
    reader.Error("above", "above: expected a share between 0 and 100 %, both excluded");
    level->above = 0.05;
  }
  level->clear = reader.Ratio("clear", level->above / 2);
  if (level->clear > level->above && reader.Sound("above") && reader.Sound("clear")) {
    reader.Error("clear", "clear is larger than above");
  }
}

void DefaultType(EventType type, Predicate* where) {
  if (where->ConstrainsType()) return;
  where->Require(*FieldRef::Parse("type"), {std::string(EventTypeName(type))});
}

bool GroupsBy(const DetectorCommon& common, Field field) {
  for (const FieldRef& by : common.by) {
    if (by.kind == FieldRef::Kind::kField && by.field == field) return true;
  }
  return false;
}

SeriesSpec SpecOf(const DetectorCommon& common, std::vector<Measure> measures) {
  return {.inputs = common.inputs,
          .where = common.where,
          .by = common.by,
          .measures = std::move(measures)};
}

const LevelConfig& LevelOf(const DetectorCommon& common, const Signal& signal) {
  const LevelConfig& critical = common.level[1];
  if (critical.set && signal.threshold == critical.above) return critical;
  return common.level[0].set ? common.level[0] : critical;
}

std::string SeriesText(const Signal& signal) {
  // The scope is already shown beside every title.
  const std::size_t scope = std::min(KeyParts(signal.scope).size(), signal.series.size());
  const Labels own(signal.series.begin() + static_cast<std::ptrdiff_t>(scope), signal.series.end());
  return own.empty() ? "all" : LabelsText(own);
}

}  // namespace tocsin

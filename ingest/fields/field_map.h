// Which JSON path feeds which field of an event: compiled once, looked up once per key. The names
// of other formats' values (logfmt's keys) are paths of one part.
//
//   FieldMap fields(input.map, &errors, FindPreset("pino"));   // or none: canonical events
//   const FieldEntry* entry = fields.root().Find(key, JsonKeyWords::Of(key, length));
//                                                                // nullptr: nobody reads this key
//   for (int a = entry->action; a >= 0; a = fields.action(a).next) …
//
// A path is understood nested ({"http":{"route":…}}), flat ({"http.route":…}) and mixed; an object
// is entered only where some path goes on inside it.
//
// With a preset (ingest/fields/field_presets.h) its paths outrank the canonical names and their aliases,
// which then count where they fit and are ignored where they do not: a log's own `status` may be a
// text. Immutable after construction, hence shareable.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"
#include "config/node.h"
#include "core/event.h"

namespace tocsin {

// What a value is stored as. The first kFields are the text fields, in the order of Field.
enum class FieldTarget : std::uint8_t {
  kTime = kFields,
  kType,
  kOutcome,
  kAction,
  kState,
  kMetricType,
  kStatus,
  kDurationMs,
  kDurationNs,  // `event.duration` of ECS
  kDuration,    // a number of ms, or a text with units: "1.5s"
  kDurationS,   // a number of seconds, or such a text
  kWeight,
  kValue,
  kLimit,
  kCvss,
  kAmount,
  kCount,
  kSum,
  kMin,
  kMax,
  kLevelWord,       // a level in any case, or a number as pino and bunyan have them
  kSeverityNumber,  // a level as OpenTelemetry numbers them
  kLine,            // a message with its line feed
  kStack,           // an exception with its stack trace, of which the first line is kept
  kRequestLine,     // "GET /orders HTTP/1.1"
  kLabels,          // an object of them
  kLabel,           // one, named by the mapping
};
inline constexpr int kJsonTargets = static_cast<int>(FieldTarget::kLabel) + 1;

constexpr bool IsText(FieldTarget target) { return static_cast<int>(target) < kFields; }

constexpr bool IsNumber(FieldTarget target) {
  return target == FieldTarget::kTime ||
         (target >= FieldTarget::kStatus && target <= FieldTarget::kMax);
}

// A text of another form than the field that it fills.
constexpr bool IsDerivedText(FieldTarget target) {
  return target >= FieldTarget::kLevelWord && target <= FieldTarget::kRequestLine;
}

// Targets that fill the same field share a slot, which is one of them.
constexpr FieldTarget SlotOf(FieldTarget target) {
  switch (target) {
    case FieldTarget::kDurationNs:
    case FieldTarget::kDuration:
    case FieldTarget::kDurationS:
      return FieldTarget::kDurationMs;
    case FieldTarget::kLevelWord:
    case FieldTarget::kSeverityNumber:
      return static_cast<FieldTarget>(Field::kLevel);
    case FieldTarget::kLine:
      return static_cast<FieldTarget>(Field::kMessage);
    case FieldTarget::kStack:
      return static_cast<FieldTarget>(Field::kException);
    default:
      return target;
  }
}

// One of a few known words.
constexpr bool IsWord(FieldTarget target) {
  return target >= FieldTarget::kType && target <= FieldTarget::kMetricType;
}

// The canonical name, as `map:` spells it; static text.
std::string_view JsonTargetName(FieldTarget target);
// Names that `map:` may have as targets.
std::vector<std::string> MappableNames();
// Why a value was refused; static text, "status is not a number".
std::string_view WrongType(FieldTarget target);
std::string_view OutOfRange(FieldTarget target);

// Fills the field of that name (also `resource`, `cvss`, …) with a text, as a constant of `map:`
// does. False, and nothing happens, where no field has the name or it cannot hold the text.
bool SetField(std::string_view name, std::string_view text, Event* event);

struct FieldAction {
  static constexpr std::uint8_t kMappedRank = 255;  // of a path that the input maps

  FieldTarget target = FieldTarget::kTime;
  // Where several paths of one record feed a target, the highest rank wins, in whatever order they
  // stand: the canonical name over its aliases.
  std::uint8_t rank = 0;
  // A value that the target cannot hold is ignored, and no fault of the record.
  bool lenient = false;
  int label = -1;  // index into label_names, for kLabel
  int next = -1;   // another target of the same path
};

struct FieldEntry {
  int node = -1;    // where to go on inside an object
  int action = -1;  // what to do with a value
  // Whether a value is stored once and as what, as for most keys; `target` and `rank` are then
  // those of the action.
  enum class Only : std::uint8_t { kNone, kText, kNumber, kWord };
  Only only = Only::kNone;
  FieldTarget target = FieldTarget::kTime;
  std::uint8_t rank = 0;
};

// A key's length and its first and last eight bytes, which are all of a key of up to 16.
struct JsonKeyWords {
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  std::size_t length = 0;

  // REQUIRES: 8 bytes may be read from `key`, however short it is (simdjson's padding grants it).
  static JsonKeyWords Of(const char* key, std::size_t length) {
    const std::uint64_t head = Load8(key);
    if (length >= 8) return {head, Load8(key + length - 8), length};
    if (length == 0) return {};
    // The key's own bytes are the low ones on a little-endian machine.
    const unsigned unused_bits = 64 - 8 * static_cast<unsigned>(length);
    return {std::endian::native == std::endian::little ? head << unused_bits : head >> unused_bits,
            0, length};
  }
  bool IsWholeKey() const { return length <= 16; }
  bool operator==(const JsonKeyWords&) const = default;

 private:
  static std::uint64_t Load8(const char* bytes) {
    std::uint64_t word;
    std::memcpy(&word, bytes, sizeof word);
    return word;
  }
};

class JsonNode {
 public:
  // `words` are those of the key.
  const FieldEntry* Find(const char* key, const JsonKeyWords& words) const;

 private:
  friend class FieldMap;
  struct Slot {
    JsonKeyWords words;  // of length 0: empty; no path has an empty key
    FieldEntry entry;
    std::uint32_t key = 0;  // index into keys_
  };
  static std::uint32_t HashOf(const JsonKeyWords& words);
  FieldEntry& Insert(std::string_view key);
  void BuildTable();

  std::vector<std::string> keys_;
  std::vector<FieldEntry> entries_;  // parallel to keys_
  // Open addressing, at most a quarter full, so that a miss costs one probe.
  std::vector<Slot> slots_;
  std::uint32_t mask_ = 0;
};

// What feeds a target: a path of a preset, or a name that is always understood.
struct FieldPath {
  std::string_view path;
  FieldTarget target;
  std::string_view label = {};  // for kLabel
};

// What the logs of one library or program call things. Of static lifetime.
struct FieldPreset {
  std::string_view name;
  std::span<const FieldPath> paths;  // an earlier one outranks a later one
  // OpenTelemetry's and ECS's names are also understood inside these objects.
  std::span<const std::string_view> prefixes = {};
  // Of every event; kUnknown: of each by what it holds.
  EventType type = EventType::kUnknown;
  bool is_json = true;
  bool is_lenient = true;        // about names that are always understood
  bool dash_is_nothing = false;  // "-" stands for a text that is absent
};

class FieldMap {
 public:
  // Canonical names and aliases; a mapped target is read from its mapping only. Errors go to
  // `errors`.
  FieldMap(const std::vector<FieldMapping>& mappings, ErrorList* errors,
           const FieldPreset* preset = nullptr);
  FieldMap(const FieldMap&) = delete;
  FieldMap& operator=(const FieldMap&) = delete;

  const JsonNode& root() const { return nodes_[0]; }
  const JsonNode& node(int index) const { return nodes_[static_cast<std::size_t>(index)]; }
  const FieldAction& action(int index) const { return actions_[static_cast<std::size_t>(index)]; }
  std::string_view label_name(int index) const {
    return label_names_[static_cast<std::size_t>(index)];
  }

  const FieldPreset* preset() const { return preset_; }

  // What every event starts as: the mappings' constants.
  const Event& base() const { return base_; }
  const std::vector<LabelView>& constant_labels() const { return constant_labels_; }
  // Whether the mappings make labels.
  bool maps_labels() const { return maps_labels_; }
  // How often the same value may be read, at most: once by each target of its path, and once more
  // as a label.
  std::size_t reads_max() const { return reads_max_; }

 private:
  // A preset's log has levels and durations in other forms than a canonical event.
  FieldTarget InPreset(FieldTarget target) const;
  void AddMapping(const FieldMapping& mapping, ErrorList* errors);
  void AddConstant(const FieldMapping& mapping, FieldTarget target, ErrorList* errors);
  void AddNames(const std::array<bool, kJsonTargets>& mapped);
  void AddPath(std::string_view path, FieldAction action);
  int NodeFor(std::string_view prefix);

  const FieldPreset* preset_;
  std::vector<JsonNode> nodes_;
  std::vector<std::string> node_prefixes_;  // parallel to nodes_
  std::vector<FieldAction> actions_;
  std::vector<std::string> action_paths_;  // parallel to actions_
  std::deque<std::string> strings_;        // a deque, because views of its elements must stay valid
  std::vector<std::string_view> label_names_;
  std::vector<LabelView> constant_labels_;
  bool maps_labels_ = false;
  std::size_t reads_max_ = 1;
  Event base_;
};

}  // namespace tocsin

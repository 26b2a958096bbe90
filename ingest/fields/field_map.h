// Maps JSON paths to event fields: compiled once, looked up once per key. The keys of other
// formats, such as logfmt, are paths of one part.
//
//   FieldMap fields(input.map, &errors, FindPreset("pino"));   // no preset: canonical events
//   const FieldEntry* entry = fields.root().Find(key, JsonKeyWords::Of(key, length));
//                                                                // nullptr: the key is ignored
//   for (int a = entry->action; a >= 0; a = fields.action(a).next) …
//
// A path matches nested ({"http":{"route":…}}), flat ({"http.route":…}) and mixed keys; an object
// is entered only if some path continues inside it.
//
// The paths of a preset (ingest/fields/field_presets.h) outrank the canonical names and their
// aliases. With a preset, a value of the wrong type under a canonical name or alias is ignored: a
// log's own `status` may be a string. Thread-safe: immutable after construction.
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

// Where and how a value is stored. The first kFields are the string fields, in the order of Field.
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
  kDuration,    // a number of ms, or a string with units: "1.5s"
  kDurationS,   // a number of seconds, or such a string
  kWeight,
  kValue,
  kLimit,
  kCvss,
  kAmount,
  kCount,
  kSum,
  kMin,
  kMax,
  kLevelWord,       // a level in any case, or a level number of pino or bunyan
  kSeverityNumber,  // a level as a severity number of OpenTelemetry
  kLine,            // a message that ends in a line feed
  kStack,           // an exception with its stack trace; the first line is kept
  kRequestLine,     // "GET /orders HTTP/1.1"
  kLabels,          // an object of labels
  kLabel,           // one label, named by the mapping
};
inline constexpr int kJsonTargets = static_cast<int>(FieldTarget::kLabel) + 1;

constexpr bool IsText(FieldTarget target) { return static_cast<int>(target) < kFields; }

constexpr bool IsNumber(FieldTarget target) {
  return target == FieldTarget::kTime ||
         (target >= FieldTarget::kStatus && target <= FieldTarget::kMax);
}

// A string that is converted before it is stored in its field.
constexpr bool IsDerivedText(FieldTarget target) {
  return target >= FieldTarget::kLevelWord && target <= FieldTarget::kRequestLine;
}

// Targets that fill the same field share a slot; the slot is one of these targets.
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

// The canonical name, as used in `map:`; a static string.
std::string_view JsonTargetName(FieldTarget target);
// Names allowed as targets in `map:`.
std::vector<std::string> MappableNames();
// Why a value was rejected, such as "status is not a number"; a static string.
std::string_view WrongType(FieldTarget target);
std::string_view OutOfRange(FieldTarget target);

// Sets the field with this name (also `resource`, `cvss`, …) from a string, as a constant of `map:`
// does. Returns false and changes nothing if there is no such field or the value is invalid for it.
bool SetField(std::string_view name, std::string_view text, Event* event);

struct FieldAction {
  static constexpr std::uint8_t kMappedRank = 255;  // of a path in the input's `map:`

  FieldTarget target = FieldTarget::kTime;
  // If several paths of a record fill the same target, the highest rank wins, in any order: the
  // canonical name outranks its aliases.
  std::uint8_t rank = 0;
  // A value that is invalid for the target is ignored instead of being a fault.
  bool lenient = false;
  int label = -1;  // index into label_names, for kLabel
  int next = -1;   // another target of the same path
};

struct FieldEntry {
  int node = -1;    // the node for the members of an object; -1: none
  int action = -1;  // the first action for a value; -1: none
  // For most keys a value has a single action. Then its kind, and `target` and `rank` are those of
  // the action.
  enum class Only : std::uint8_t { kNone, kText, kNumber, kWord };
  Only only = Only::kNone;
  FieldTarget target = FieldTarget::kTime;
  std::uint8_t rank = 0;
};

// A key's length and its first and last eight bytes: the whole key if it has up to 16 bytes.
struct JsonKeyWords {
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  std::size_t length = 0;

  // REQUIRES: 8 bytes are readable from `key`, however short it is (simdjson's padding ensures it).
  static JsonKeyWords Of(const char* key, std::size_t length) {
    const std::uint64_t head = Load8(key);
    if (length >= 8) return {head, Load8(key + length - 8), length};
    if (length == 0) return {};
    // On a little-endian machine the key's own bytes are the low ones.
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
  // REQUIRES: `words` are those of `key`.
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

// A path that fills a target: of a preset, or one that is always recognized.
struct FieldPath {
  std::string_view path;
  FieldTarget target;
  std::string_view label = {};  // for kLabel
};

// The field names in the logs of one library or program. Of static lifetime.
struct FieldPreset {
  std::string_view name;
  std::span<const FieldPath> paths;  // an earlier one outranks a later one
  // Names of OpenTelemetry and ECS are also recognized inside these objects.
  std::span<const std::string_view> prefixes = {};
  // The type of all events; kUnknown: derived from each event's fields.
  EventType type = EventType::kUnknown;
  bool is_json = true;
  bool is_lenient = true;        // ignore invalid values under names that are always recognized
  bool dash_is_nothing = false;  // "-" means that a string is absent
};

class FieldMap {
 public:
  // Recognizes canonical names, aliases and the preset's paths, except for targets in `mappings`,
  // which are read from their mapping only. Invalid mappings are added to `errors`.
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

  // The initial value of every event: the constants of `map:`.
  const Event& base() const { return base_; }
  const std::vector<LabelView>& constant_labels() const { return constant_labels_; }
  // Whether the mappings set labels.
  bool maps_labels() const { return maps_labels_; }
  // The maximum number of times that one value is read: once for each target of its path, plus once
  // as a label.
  std::size_t reads_max() const { return reads_max_; }

 private:
  // Logs with a preset write levels and durations differently from canonical events.
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

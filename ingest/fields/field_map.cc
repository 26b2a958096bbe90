#include "ingest/fields/field_map.h"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cstring>
#include <optional>
#include <system_error>

#include "core/check.h"
#include "core/limits.h"

namespace tocsin {
namespace {

constexpr FieldTarget Text(Field field) { return static_cast<FieldTarget>(field); }

// Canonical names first, then OpenTelemetry and ECS; an earlier line outranks a later one.
constexpr FieldPath kAliases[] = {
    {"time", FieldTarget::kTime},
    {"id", Text(Field::kId)},
    {"type", FieldTarget::kType},
    {"env", Text(Field::kEnv)},
    {"service", Text(Field::kService)},
    {"host", Text(Field::kHost)},
    {"version", Text(Field::kVersion)},
    {"region", Text(Field::kRegion)},
    {"app", Text(Field::kApp)},
    {"dependency", Text(Field::kDependency)},
    {"endpoint", Text(Field::kEndpoint)},
    {"method", Text(Field::kMethod)},
    {"status", FieldTarget::kStatus},
    {"duration_ms", FieldTarget::kDurationMs},
    {"trace_id", Text(Field::kTraceId)},
    {"client_ip", Text(Field::kClientIp)},
    {"user", Text(Field::kUser)},
    {"user_agent", Text(Field::kUserAgent)},
    {"outcome", FieldTarget::kOutcome},
    {"action", FieldTarget::kAction},
    {"name", Text(Field::kName)},
    {"value", FieldTarget::kValue},
    {"limit", FieldTarget::kLimit},
    {"unit", Text(Field::kUnit)},
    {"metric_type", FieldTarget::kMetricType},
    {"count", FieldTarget::kCount},
    {"sum", FieldTarget::kSum},
    {"min", FieldTarget::kMin},
    {"max", FieldTarget::kMax},
    {"state", FieldTarget::kState},
    {"severity", Text(Field::kSeverity)},
    {"cvss", FieldTarget::kCvss},
    {"level", Text(Field::kLevel)},
    {"message", Text(Field::kMessage)},
    {"exception", Text(Field::kException)},
    {"amount", FieldTarget::kAmount},
    {"currency", Text(Field::kCurrency)},
    {"weight", FieldTarget::kWeight},
    {"labels", FieldTarget::kLabels},

    {"@timestamp", FieldTarget::kTime},
    {"timestamp", FieldTarget::kTime},
    {"event.id", Text(Field::kId)},
    {"event.outcome", FieldTarget::kOutcome},
    {"event.duration", FieldTarget::kDurationNs},
    {"deployment.environment", Text(Field::kEnv)},
    {"deployment.environment.name", Text(Field::kEnv)},
    {"service.environment", Text(Field::kEnv)},
    {"service.name", Text(Field::kService)},
    {"service.version", Text(Field::kVersion)},
    {"host.name", Text(Field::kHost)},
    {"cloud.region", Text(Field::kRegion)},
    {"resource", Text(Field::kDependency)},
    {"peer.service", Text(Field::kDependency)},
    {"http.route", Text(Field::kEndpoint)},
    {"url.path", Text(Field::kEndpoint)},
    {"http.target", Text(Field::kEndpoint)},
    {"http.request.method", Text(Field::kMethod)},
    {"http.method", Text(Field::kMethod)},
    {"http.response.status_code", FieldTarget::kStatus},
    {"http.status_code", FieldTarget::kStatus},
    {"trace.id", Text(Field::kTraceId)},
    {"client.address", Text(Field::kClientIp)},
    {"client.ip", Text(Field::kClientIp)},
    {"source.ip", Text(Field::kClientIp)},
    {"user.id", Text(Field::kUser)},
    {"enduser.id", Text(Field::kUser)},
    {"user_agent.original", Text(Field::kUserAgent)},
    {"log.level", Text(Field::kLevel)},
    {"exception.type", Text(Field::kException)},
    {"error.type", Text(Field::kException)},
    // `resource` is a string above, but OpenTelemetry's is an object with these members.
    {"resource.service.name", Text(Field::kService)},
    {"resource.service.version", Text(Field::kVersion)},
    {"resource.deployment.environment", Text(Field::kEnv)},
    {"resource.host.name", Text(Field::kHost)},
};

// A rank is the distance to the end of the table plus one; the ranks of a preset's paths come on
// top. All must fit a byte.
constexpr std::size_t kPresetPathsMax = 150;
static_assert(std::size(kAliases) + kPresetPathsMax < FieldAction::kMappedRank);

constexpr std::string_view kOtherNames[] = {
    "time",        "type",           "outcome",   "action",   "state",  "metric_type", "status",
    "duration_ms", "event.duration", "duration",  "duration", "weight", "value",       "limit",
    "cvss",        "amount",         "count",     "sum",      "min",    "max",         "level",
    "level",       "message",        "exception", "request",  "labels", "label"};
static_assert(std::size(kOtherNames) == kJsonTargets - kFields);

std::string_view ExpectedOf(FieldTarget target) {
  if (IsText(target) || IsDerivedText(target)) return " is not a string";
  switch (target) {
    case FieldTarget::kTime:
      return " is neither an RFC 3339 time nor an epoch number";
    case FieldTarget::kType:
    case FieldTarget::kOutcome:
    case FieldTarget::kAction:
    case FieldTarget::kState:
    case FieldTarget::kMetricType:
      return " is not a known value";
    case FieldTarget::kLabels:
      return " is not an object";
    case FieldTarget::kLabel:
      return " is not a string";
    case FieldTarget::kDuration:
    case FieldTarget::kDurationS:
      return " is neither a number nor a duration with a unit";
    default:
      return " is not a number";
  }
}

// One string per target, built once and never destroyed, so that views of them are static.
const std::array<std::string, kJsonTargets>& Texts(bool range) {
  static const auto* const kTexts = [] {
    auto* texts = new std::array<std::array<std::string, kJsonTargets>, 2>;
    for (int i = 0; i < kJsonTargets; ++i) {
      const auto target = static_cast<FieldTarget>(i);
      const std::string name(JsonTargetName(target));
      (*texts)[0][static_cast<std::size_t>(i)] = name + std::string(ExpectedOf(target));
      (*texts)[1][static_cast<std::size_t>(i)] = name + " is out of range";
    }
    return texts;
  }();
  return (*kTexts)[range ? 1 : 0];
}

std::optional<double> ParseConstantNumber(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  if (!(value <= limits::kNumberMagnitudeMax && value >= -limits::kNumberMagnitudeMax)) {
    return std::nullopt;
  }
  return value;
}

std::optional<FieldTarget> TargetFromName(std::string_view name) {
  if (const std::optional<Field> field = FieldFromName(name)) return Text(*field);
  for (int i = kFields; i < kJsonTargets; ++i) {
    const auto target = static_cast<FieldTarget>(i);
    if (SlotOf(target) != target || IsDerivedText(target) || target == FieldTarget::kLabel)
      continue;
    if (JsonTargetName(target) == name) return target;
  }
  return std::nullopt;
}

template <typename Enum, typename NameOf>
std::optional<Enum> EnumFromName(std::string_view name, int count, NameOf name_of) {
  for (int i = 0; i < count; ++i) {
    const auto value = static_cast<Enum>(i);
    if (!name_of(value).empty() && name_of(value) == name) return value;
  }
  return std::nullopt;
}

template <typename Value, typename Slot>
bool Assign(std::optional<Value> parsed, Slot* field) {
  if (parsed) *field = *parsed;
  return parsed.has_value();
}

// Converts `text` to the target's type and stores it. Returns false and stores nothing if it is
// invalid for the target.
bool StoreConstant(FieldTarget target, std::string_view text, Event* event) {
  if (IsText(target)) {
    event->Set(static_cast<Field>(target), text);
    return true;
  }
  const std::optional<double> number = ParseConstantNumber(text);
  switch (target) {
    case FieldTarget::kType:
      return Assign(EventTypeFromName(text), &event->type);
    case FieldTarget::kOutcome:
      return Assign(EnumFromName<Outcome>(text, 3, OutcomeName), &event->outcome);
    case FieldTarget::kAction:
      return Assign(EnumFromName<ConnectionAction>(text, 4, ConnectionActionName), &event->action);
    case FieldTarget::kState:
      return Assign(EnumFromName<AlarmState>(text, 4, AlarmStateName), &event->state);
    case FieldTarget::kMetricType:
      return Assign(EnumFromName<MetricType>(text, 5, MetricTypeName), &event->metric_type);
    case FieldTarget::kStatus:
      if (!number || *number < 0 || *number > 99'999) return false;
      event->status = static_cast<std::int32_t>(*number);
      return true;
    case FieldTarget::kWeight:
      if (!number || *number < 1 || *number > 1e9) return false;
      event->weight = static_cast<std::int64_t>(*number);
      return true;
    case FieldTarget::kValue:
      return Assign(number, &event->value);
    case FieldTarget::kLimit:
      return Assign(number, &event->limit);
    case FieldTarget::kCvss:
      return Assign(number, &event->cvss);
    case FieldTarget::kAmount:
      return Assign(number, &event->amount);
    default:
      return false;  // Times, durations and parts of a histogram are never constant.
  }
}

}  // namespace

std::vector<std::string> MappableNames() {
  std::vector<std::string> names = {"labels.NAME"};
  for (const FieldPath& alias : kAliases) {
    if (TargetFromName(alias.path)) names.emplace_back(alias.path);
  }
  return names;
}

std::string_view JsonTargetName(FieldTarget target) {
  if (IsText(target)) return FieldName(static_cast<Field>(target));
  return kOtherNames[static_cast<int>(target) - kFields];
}

std::string_view WrongType(FieldTarget target) {
  return Texts(false)[static_cast<std::size_t>(target)];
}

std::string_view OutOfRange(FieldTarget target) {
  return Texts(true)[static_cast<std::size_t>(target)];
}

bool SetField(std::string_view name, std::string_view text, Event* event) {
  const std::optional<FieldTarget> target = TargetFromName(name);
  return target && StoreConstant(*target, text, event);
}

std::uint32_t JsonNode::HashOf(const JsonKeyWords& words) {
  // 2^64 / golden ratio: Fibonacci hashing.
  return static_cast<std::uint32_t>(
      ((words.first ^ std::rotl(words.last, 29) ^ words.length) * 0x9E3779B97F4A7C15u) >> 32);
}

const FieldEntry* JsonNode::Find(const char* key, const JsonKeyWords& words) const {
  for (std::uint32_t at = HashOf(words) & mask_;; at = (at + 1) & mask_) {
    const Slot& slot = slots_[at];
    if (slot.words.length == 0) return nullptr;
    if (slot.words != words) continue;
    if (words.IsWholeKey() || std::memcmp(keys_[slot.key].data(), key, words.length) == 0) {
      return &slot.entry;
    }
  }
}

FieldEntry& JsonNode::Insert(std::string_view key) {
  const auto at = std::find(keys_.begin(), keys_.end(), key);
  if (at != keys_.end()) return entries_[static_cast<std::size_t>(at - keys_.begin())];
  keys_.emplace_back(key);
  return entries_.emplace_back();
}

void JsonNode::BuildTable() {
  slots_.assign(std::bit_ceil(4 * keys_.size() + 4), Slot{});
  mask_ = static_cast<std::uint32_t>(slots_.size() - 1);
  for (std::size_t i = 0; i < keys_.size(); ++i) {
    const std::size_t length = keys_[i].size();
    if (length == 0) continue;
    std::string padded = keys_[i];
    padded.append(8, '\0');
    const JsonKeyWords words = JsonKeyWords::Of(padded.data(), length);
    std::uint32_t at = HashOf(words) & mask_;
    while (slots_[at].words.length != 0) at = (at + 1) & mask_;
    slots_[at] = {words, entries_[i], static_cast<std::uint32_t>(i)};
  }
}

FieldMap::FieldMap(const std::vector<FieldMapping>& mappings, ErrorList* errors,
                   const FieldPreset* preset)
    : preset_(preset) {
  NodeFor("");
  std::array<bool, kJsonTargets> mapped{};
  for (const FieldMapping& mapping : mappings) {
    if (const std::optional<FieldTarget> target = TargetFromName(mapping.target)) {
      mapped[static_cast<std::size_t>(*target)] = true;
    }
    AddMapping(mapping, errors);
  }
  AddNames(mapped);
  if (preset != nullptr && base_.type == EventType::kUnknown) base_.type = preset->type;
  bool enters_labels = false;
  for (JsonNode& node : nodes_) {
    for (FieldEntry& entry : node.entries_) {
      std::size_t reads = 0;
      for (int index = entry.action; index >= 0; index = action(index).next) {
        ++reads;
        enters_labels |= action(index).target == FieldTarget::kLabels && entry.node >= 0;
      }
      reads_max_ = std::max(reads_max_, reads);
      if (entry.action < 0) continue;
      const FieldAction& only = action(entry.action);
      if (only.next >= 0) continue;
      entry.only = IsText(only.target)     ? FieldEntry::Only::kText
                   : IsNumber(only.target) ? FieldEntry::Only::kNumber
                   : IsWord(only.target)   ? FieldEntry::Only::kWord
                                           : FieldEntry::Only::kNone;
      entry.target = only.target;
      entry.rank = only.rank;
    }
    node.BuildTable();
  }
  if (enters_labels) ++reads_max_;
}

// The paths of the preset, then the names that are always recognized.
void FieldMap::AddNames(const std::array<bool, kJsonTargets>& mapped) {
  const auto is_mapped = [&](FieldTarget target) {
    return mapped[static_cast<std::size_t>(SlotOf(target))];
  };
  const auto is_of_preset = [&](std::string_view path) {
    return preset_ != nullptr &&
           std::any_of(preset_->paths.begin(), preset_->paths.end(),
                       [&](const FieldPath& known) { return known.path == path; });
  };
  std::size_t rank = std::size(kAliases);
  if (preset_ != nullptr) {
    TOCSIN_CHECK(preset_->paths.size() <= kPresetPathsMax);
    rank += preset_->paths.size();
    for (const FieldPath& path : preset_->paths) {
      FieldAction action{.target = path.target, .rank = static_cast<std::uint8_t>(rank--)};
      if (path.target == FieldTarget::kLabel) {
        action.lenient = true;
        action.label = static_cast<int>(label_names_.size());
        label_names_.push_back(path.label);
      }
      if (!is_mapped(path.target)) AddPath(path.path, action);
    }
  }
  for (const FieldPath& alias : kAliases) {
    const FieldAction action{.target = InPreset(alias.target),
                             .rank = static_cast<std::uint8_t>(rank--),
                             .lenient = preset_ != nullptr && preset_->is_lenient};
    // A preset's meaning of the same path replaces this one.
    if (is_mapped(alias.target) || is_of_preset(alias.path)) continue;
    AddPath(alias.path, action);
    if (preset_ == nullptr || alias.path.find('.') == alias.path.npos) continue;
    for (const std::string_view prefix : preset_->prefixes) {
      AddPath(std::string(prefix) + '.' + std::string(alias.path), action);
    }
  }
}

FieldTarget FieldMap::InPreset(FieldTarget target) const {
  if (preset_ == nullptr) return target;
  if (target == Text(Field::kLevel)) return FieldTarget::kLevelWord;
  return target == FieldTarget::kDurationMs ? FieldTarget::kDuration : target;
}

void FieldMap::AddMapping(const FieldMapping& mapping, ErrorList* errors) {
  std::optional<FieldTarget> target = TargetFromName(mapping.target);
  int label = -1;
  if (!target && mapping.target.starts_with("labels.") && mapping.target.size() > 7) {
    target = FieldTarget::kLabel;
    maps_labels_ = true;
    label = static_cast<int>(label_names_.size());
    label_names_.push_back(strings_.emplace_back(mapping.target.substr(7)));
  }
  if (!target) {
    const std::string nearest = Nearest(mapping.target, MappableNames());
    errors->Add(mapping.at, "map: unknown event field \"" + mapping.target + "\"" +
                                (nearest.empty() ? "" : "; did you mean \"" + nearest + "\"?"));
    return;
  }
  if (mapping.path.empty()) {
    AddConstant(mapping, *target, errors);
    return;
  }
  const auto dots = std::count(mapping.path.begin(), mapping.path.end(), '.');
  if (("." + mapping.path + ".").find("..") != std::string::npos) {
    errors->Add(mapping.at, "map: the path \"" + mapping.path + "\" has an empty part");
    return;
  }
  if (dots >= limits::kJsonDepthMax) {
    errors->Add(mapping.at, "map: the path of \"" + mapping.target + "\" is deeper than " +
                                std::to_string(limits::kJsonDepthMax) + " levels");
    return;
  }
  AddPath(mapping.path,
          {.target = InPreset(*target), .rank = FieldAction::kMappedRank, .label = label});
}

void FieldMap::AddConstant(const FieldMapping& mapping, FieldTarget target, ErrorList* errors) {
  const std::string_view text = strings_.emplace_back(mapping.constant);
  if (target == FieldTarget::kLabel && text.size() <= limits::kLabelValueBytesMax &&
      constant_labels_.size() < limits::kLabelsMax) {
    constant_labels_.emplace_back(label_names_.back(), text);
  } else if (!StoreConstant(target, text, &base_)) {
    errors->Add(mapping.at, "map: \"" + mapping.constant + "\" is not a valid constant for \"" +
                                mapping.target + "\"");
  }
}

int FieldMap::NodeFor(std::string_view prefix) {
  const auto at = std::find(node_prefixes_.begin(), node_prefixes_.end(), prefix);
  if (at != node_prefixes_.end()) return static_cast<int>(at - node_prefixes_.begin());
  node_prefixes_.emplace_back(prefix);
  nodes_.emplace_back();
  return static_cast<int>(nodes_.size()) - 1;
}

// Inserts every way to write the path, nested or flat, at each of its prefixes: "a.b.c" gives the
// keys "a", "a.b" and "a.b.c" at the root, "b" and "b.c" inside "a", and "c" inside "a.b". Only the
// keys that complete the path get an action; the others lead to an inner node.
void FieldMap::AddPath(std::string_view path, FieldAction action) {
  const int index = static_cast<int>(actions_.size());
  actions_.push_back(action);
  action_paths_.emplace_back(path);
  const auto same = std::find(action_paths_.begin(), action_paths_.end(), path);
  if (int last = static_cast<int>(same - action_paths_.begin()); last != index) {
    // One path feeds several targets; its entries exist already.
    while (actions_[static_cast<std::size_t>(last)].next >= 0) last = this->action(last).next;
    actions_[static_cast<std::size_t>(last)].next = index;
    return;
  }
  for (std::size_t from = 0;;) {
    const int node = NodeFor(from == 0 ? std::string_view() : path.substr(0, from - 1));
    std::size_t dot = path.find('.', from);
    const std::size_t next_dot = dot;
    for (; dot != path.npos; dot = path.find('.', dot + 1)) {
      const int inner = NodeFor(path.substr(0, dot));
      nodes_[static_cast<std::size_t>(node)].Insert(path.substr(from, dot - from)).node = inner;
    }
    nodes_[static_cast<std::size_t>(node)].Insert(path.substr(from)).action = index;
    if (next_dot == path.npos) return;
    from = next_dot + 1;
  }
}

}  // namespace tocsin

#include "core/event.h"

#include <algorithm>
#include <charconv>

namespace tocsin {
namespace {

constexpr std::array<std::string_view, kFields> kFieldNames = {
    "id",         "env",      "service",  "host",     "version",   "region",    "app",
    "dependency", "endpoint", "method",   "trace_id", "client_ip", "user",      "user_agent",
    "name",       "unit",     "severity", "level",    "message",   "exception", "currency"};

constexpr std::array<std::string_view, 4> kActionNames = {"", "open", "close", "reject"};
constexpr std::array<std::string_view, 4> kStateNames = {"", "alarm", "ok", "unknown"};
constexpr std::array<std::string_view, 5> kMetricTypeNames = {"gauge", "counter", "delta",
                                                              "histogram", "summary"};

constexpr std::string_view kLabelPrefix = "labels.";

}  // namespace

std::string_view FieldName(Field field) { return kFieldNames[static_cast<std::size_t>(field)]; }

std::optional<Field> FieldFromName(std::string_view name) {
  const auto found = std::find(kFieldNames.begin(), kFieldNames.end(), name);
  if (found != kFieldNames.end()) return static_cast<Field>(found - kFieldNames.begin());
  if (name == "resource") return Field::kDependency;
  return std::nullopt;
}

std::optional<EventType> EventTypeFromName(std::string_view name) {
  if (name.empty()) return std::nullopt;
  const auto found = std::find(kEventTypeNames.begin(), kEventTypeNames.end(), name);
  if (found == kEventTypeNames.end()) return std::nullopt;
  return static_cast<EventType>(found - kEventTypeNames.begin());
}

std::string_view ConnectionActionName(ConnectionAction action) {
  return kActionNames[static_cast<std::size_t>(action)];
}
std::string_view AlarmStateName(AlarmState state) {
  return kStateNames[static_cast<std::size_t>(state)];
}
std::string_view MetricTypeName(MetricType type) {
  return kMetricTypeNames[static_cast<std::size_t>(type)];
}

std::string_view Event::Label(std::string_view name) const {
  for (const LabelView& label : labels) {
    if (label.first == name) return label.second;
  }
  return {};
}

void Event::Normalize() {
  failed = outcome == Outcome::kFailure || (outcome == Outcome::kUnknown && status >= 500);
  if (Get(Field::kEnv).empty()) Set(Field::kEnv, "prod");
}

std::optional<FieldRef> FieldRef::Parse(std::string_view name) {
  FieldRef ref;
  if (name.starts_with(kLabelPrefix) && name.size() > kLabelPrefix.size()) {
    ref.kind = Kind::kLabel;
    ref.label = std::string(name.substr(kLabelPrefix.size()));
    return ref;
  }
  if (name == "type") {
    ref.kind = Kind::kType;
  } else if (name == "outcome") {
    ref.kind = Kind::kOutcome;
  } else if (name == "action") {
    ref.kind = Kind::kAction;
  } else if (name == "state") {
    ref.kind = Kind::kState;
  } else if (name == "status") {
    ref.kind = Kind::kStatus;
  } else if (std::optional<Field> field = FieldFromName(name)) {
    ref.field = *field;
  } else {
    return std::nullopt;
  }
  return ref;
}

std::string FieldRef::Name() const {
  switch (kind) {
    case Kind::kField:
      return std::string(FieldName(field));
    case Kind::kType:
      return "type";
    case Kind::kOutcome:
      return "outcome";
    case Kind::kAction:
      return "action";
    case Kind::kState:
      return "state";
    case Kind::kStatus:
      return "status";
    case Kind::kLabel:
      return std::string(kLabelPrefix) + label;
  }
  return "";
}

std::string_view FieldRef::GetOther(const Event& event, std::span<char, 12> scratch) const {
  switch (kind) {
    case Kind::kField:
      return event.Get(field);
    case Kind::kType:
      return EventTypeName(event.type);
    case Kind::kOutcome:
      return OutcomeName(event.outcome);
    case Kind::kAction:
      return ConnectionActionName(event.action);
    case Kind::kState:
      return AlarmStateName(event.state);
    case Kind::kStatus: {
      if (event.status == 0) return {};
      const auto end = std::to_chars(scratch.data(), scratch.data() + scratch.size(), event.status);
      return {scratch.data(), static_cast<std::size_t>(end.ptr - scratch.data())};
    }
    case Kind::kLabel:
      return event.Label(label);
  }
  return {};
}

}  // namespace tocsin

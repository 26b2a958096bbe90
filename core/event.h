// One normalised record: what every decoder produces and stage 1 accumulates.
//
//   Event event;
//   event.time = t;  event.type = EventType::kRequest;
//   event.Set(Field::kService, "api");  event.status = 503;
//   event.Normalize();                       // fills env, failed and the like
//
// A flat struct of views and integers: building one allocates nothing. All views (text fields,
// labels) point into the decoder's buffers and live only until its callback returns; keep a Fact
// (core/fact.h) to hold on to one. Text fields that are absent are empty; missing and empty are the
// same thing. Not thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "core/time.h"

namespace tocsin {

enum class EventType : std::uint8_t {
  kUnknown,  // a record without `type`: counted as an event, matches predicates without a type
  kRequest,
  kQuery,
  kConnection,
  kAuth,
  kSession,
  kTransaction,
  kMetric,
  kLog,
  kCheck,
  kAlarm,
  kDeploy,
};
inline constexpr int kEventTypes = 12;

enum class Outcome : std::uint8_t { kUnknown, kSuccess, kFailure };
enum class ConnectionAction : std::uint8_t { kUnknown, kOpen, kClose, kReject };
enum class MetricType : std::uint8_t { kGauge, kCounter, kDelta, kHistogram, kSummary };
enum class AlarmState : std::uint8_t { kNone, kAlarm, kOk, kUnknown };

// The text fields of an event. Their names in configurations and outputs are those of FieldName.
enum class Field : std::uint8_t {
  kId,
  kEnv,
  kService,
  kHost,
  kVersion,
  kRegion,
  kApp,
  kDependency,
  kEndpoint,
  kMethod,
  kTraceId,
  kClientIp,
  kUser,
  kUserAgent,
  kName,
  kUnit,
  kSeverity,
  kLevel,
  kMessage,
  kException,
  kCurrency,
};
inline constexpr int kFields = 21;

std::string_view FieldName(Field field);
std::optional<Field> FieldFromName(std::string_view name);

// Looked through for every event that is read, so they are to be seen by the compiler.
inline constexpr std::array<std::string_view, kEventTypes> kEventTypeNames = {
    "",       "request", "query", "connection", "auth",  "session", "transaction",
    "metric", "log",     "check", "alarm",      "deploy"};
inline constexpr std::array<std::string_view, 3> kOutcomeNames = {"", "success", "failure"};

// "" for kUnknown
constexpr std::string_view EventTypeName(EventType type) {
  return kEventTypeNames[static_cast<std::size_t>(type)];
}
std::optional<EventType> EventTypeFromName(std::string_view name);
// "" for kUnknown
constexpr std::string_view OutcomeName(Outcome outcome) {
  return kOutcomeNames[static_cast<std::size_t>(outcome)];
}
std::string_view ConnectionActionName(ConnectionAction action);
std::string_view AlarmStateName(AlarmState state);
std::string_view MetricTypeName(MetricType type);

using LabelView = std::pair<std::string_view, std::string_view>;

struct Event {
  TimeUs time = kNoTime;
  EventType type = EventType::kUnknown;
  Outcome outcome = Outcome::kUnknown;
  ConnectionAction action = ConnectionAction::kUnknown;
  MetricType metric_type = MetricType::kGauge;
  AlarmState state = AlarmState::kNone;
  // Set by Normalize: outcome is failure or, where there is none, status ≥ 500.
  bool failed = false;

  std::int32_t status = 0;      // 0: none (a timeout has none)
  DurationUs duration = -1;     // µs; −1: none
  std::int64_t weight = 1;      // how many events this one stands for, ≥ 1
  std::optional<double> value;  // all doubles: finite, |x| ≤ limits::kNumberMagnitudeMax
  std::optional<double> limit;
  std::optional<double> cvss;
  std::optional<double> amount;
  // Of a metric that is a histogram or summary.
  std::optional<double> count, sum, min, max;

  std::array<std::string_view, kFields> text{};
  std::span<const LabelView> labels;

  std::string_view Get(Field field) const { return text[static_cast<std::size_t>(field)]; }
  void Set(Field field, std::string_view value_text) {
    text[static_cast<std::size_t>(field)] = value_text;
  }
  // The value of a label; empty when absent.
  std::string_view Label(std::string_view name) const;

  // Derives what follows from the other fields: `failed`, and `env` "prod" where it is absent.
  // Decoders call it last.
  void Normalize();
};

// Names a by-field, scope field or predicate subject: a text field, one of the enumerations
// (`type`, `outcome`, `action`, `state`), or "labels.x".
struct FieldRef {
  enum class Kind : std::uint8_t { kField, kType, kOutcome, kAction, kState, kStatus, kLabel };
  Kind kind = Kind::kField;
  Field field = Field::kEnv;
  std::string label;  // for kLabel

  // nullopt for a name that no event has.
  static std::optional<FieldRef> Parse(std::string_view name);
  std::string Name() const;
  // `scratch` (≥ 12 bytes) holds the digits of a status. The view lives as long as event and
  // scratch.
  std::string_view Get(const Event& event, std::span<char, 12> scratch) const {
    return kind == Kind::kField ? event.Get(field) : GetOther(event, scratch);
  }
  bool operator==(const FieldRef&) const = default;

 private:
  std::string_view GetOther(const Event& event, std::span<char, 12> scratch) const;
};

}  // namespace tocsin

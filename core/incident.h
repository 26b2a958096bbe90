// Signals with one cause: what people are paged for.
//
// Value type; the fields are those of an incident line (§6 of the design). `scope` is a key of the
// scope's labels. Derived id: hash(scope, opening signal). The number is given in opening order per
// scope and UTC year.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "core/signal.h"

namespace tocsin {

enum class IncidentState : std::uint8_t { kOpen, kAcknowledged, kMonitoring, kResolved };
std::string_view IncidentStateName(IncidentState state);

struct Suspect {
  std::string kind;  // "deploy", "dependency", "service", "endpoint", "client", "address"
  std::string name;
  TimeUs at = kNoTime;  // when it began; kNoTime when unknown
  std::string reason;   // in words
  bool operator==(const Suspect&) const = default;
};

struct Impact {
  std::optional<std::int64_t> users_affected;  // absent where a cap was hit
  std::optional<std::int64_t> users_total;
  std::int64_t failed = 0;
  std::int64_t failed_transactions = 0;
  std::optional<double> revenue;
  bool operator==(const Impact&) const = default;
};

// What a person did about an incident, or what was done by itself (author "tocsin").
struct TimelineEntry {
  TimeUs at = kNoTime;  // tick
  std::string id;       // of the act; empty when done by itself
  std::string author;
  std::string
      what;  // "acknowledged", "resolved", "noted", "linked", "escalated", "reopened", "joined" …
  std::string text;
  bool operator==(const TimelineEntry&) const = default;
};

// `what` of an entry that says what a signal began together with, which alone brought it here.
inline constexpr char kJoinedTogether[] = "joined";

// When an incident became as severe as `level`, and when people were paged for that.
struct LevelTimes {
  int level = 3;
  TimeUs at = kNoTime;        // tick; kNoTime: not known
  TimeUs paged_at = kNoTime;  // tick of its page; kNoTime: none was decided
  bool operator==(const LevelTimes&) const = default;
};

// What a bounded line leaves out (core/bounded_line.h).
struct Omitted {
  std::int64_t signals = 0;
  std::int64_t evidence = 0;  // signals that are listed without theirs
  std::int64_t labels = 0;    // of these signals
  std::int64_t suspects = 0;
  std::int64_t advice = 0;
  std::int64_t escalate_to = 0;
  std::int64_t timeline = 0;
  std::int64_t texts = 0;  // cut short
  bool operator==(const Omitted&) const = default;
};

struct Incident {
  Hash128 id;
  std::string number;  // "INC-2026-001"
  std::int64_t revision = 0;
  IncidentState state = IncidentState::kOpen;
  std::string severity;  // the scheme's name
  int severity_level = 3;
  std::string severity_rule;  // which rule decided, in words
  Category category = Category::kAvailability;
  std::string title;
  std::string scope;
  Labels scope_labels;
  std::string component;
  std::string classification;
  TimeUs onset = kNoTime;
  TimeUs detected_at = kNoTime;
  // In the order in which they were reached. Most incidents have one, and there may be many of
  // them.
  absl::InlinedVector<LevelTimes, 1> levels;
  TimeUs acknowledged_at = kNoTime;
  TimeUs resolved_at = kNoTime;
  std::vector<Signal> signals;
  std::vector<Suspect> suspects;
  Impact impact;
  std::vector<std::string> advice;
  std::string runbook;
  std::vector<std::string> escalate_to;
  std::optional<std::int64_t> respond_within_s;  // absent: the next business day
  TimeUs next_update_at = kNoTime;
  std::string muted_by;         // silences and rules because of which nobody is paged; else empty
  std::string acknowledged_by;  // a person
  std::vector<TimelineEntry> timeline;  // at most limits::kIncidentTimelineMax
  std::string merged_into;
  // Numbers of the incidents that were open already and with which it has something in common, but
  // that it began long after; at most limits::kBesideMax.
  std::vector<std::string> beside;
  bool partial = false;
  std::int64_t pages = 0;

  // "<incident>:<level>"; the key of the page of a level.
  static std::string DedupKey(const Hash128& id, int level);

  // Keeps the times of the level that it has now.
  void NoteLevel(TimeUs tick);
  // Counts a page for that level. REQUIRES: it was noted.
  void NotePage(TimeUs tick);

  TimeUs paged_at() const;  // tick of the first page; kNoTime before

  // All of it as one line of JSON, without the line feed; what is written and sent is bounded
  // (core/bounded_line.h). What a list shows stands at its head.
  std::string ToJson(const Omitted& omitted = {}) const;
  void Encode(ByteWriter* out) const;
  static Incident Decode(ByteReader* in);
};

// An incident line up to its signals: all fields that say what it is, when and how bad, as an
// object without its last brace.
std::string_view IncidentLineHead(std::string_view line);

// REQUIRES: `opening_signal` is the id of the signal that opened the incident.
Hash128 IncidentId(std::string_view scope, const Hash128& opening_signal);

}  // namespace tocsin

// An event kept whole: deploys, alarms and checks travel to stage 2 as facts beside the counts.
//
//   Fact fact = Fact::FromEvent(event);   // copies; id derived from the content if it has none
//
// Text is cut so that a fact stays under limits::kFactBytesMax. Facts order by (time, id), and two
// with one id are the same fact. Value type; thread-compatible.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/event.h"
#include "core/wire.h"

namespace tocsin {

struct Fact {
  TimeUs time = kNoTime;
  std::string id;
  EventType type = EventType::kUnknown;
  Outcome outcome = Outcome::kUnknown;
  AlarmState state = AlarmState::kNone;
  std::optional<double> value;
  std::optional<double> cvss;
  std::vector<std::pair<Field, std::string>> fields;        // sorted by field, no empty ones
  std::vector<std::pair<std::string, std::string>> labels;  // sorted by name

  static bool Keeps(const Event& event) {
    return event.type == EventType::kDeploy || event.type == EventType::kAlarm ||
           event.type == EventType::kCheck;
  }
  static Fact FromEvent(const Event& event);

  std::string_view Get(Field field) const;
  // A view of this fact as an event, for predicates; valid while the fact lives and is unchanged.
  // `labels_scratch` holds the label views.
  Event AsEvent(std::vector<LabelView>* labels_scratch) const;

  void Encode(ByteWriter* out) const;
  static Fact Decode(ByteReader* in);
  bool operator==(const Fact&) const = default;
};

// Order of facts wherever order matters.
bool FactBefore(const Fact& a, const Fact& b);

}  // namespace tocsin

// Fills an event with values that have names, as those of JSON have: which one counts where several
// feed the same field, what a value may be, and what the whole lacks.
//
//   EventBuilder builder(&fields);
//   builder.Begin(record_time);                       // the mapping's constants
//   const JsonAction& action = …;                     // what `fields` says about a name
//   if (builder.Counts(action.target, action.rank)) {
//     EventFault fault = builder.SetNumber(action.target, 503);
//     if (fault.empty()) builder.Keep(action.target, action.rank);
//   }
//   EventFault fault = builder.Complete();            // empty: builder.event() is an event
//
// Allocates nothing. The views of the event are the callers'; they live as long as those, and until
// Begin. Faults are static texts. Not thread-safe.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/event.h"
#include "core/limits.h"
#include "ingest/endpoint_template.h"
#include "ingest/json_fields.h"

namespace tocsin {

using EventFault = std::string_view;  // empty: none

class EventBuilder {
 public:
  // A larger status is out of range.
  static constexpr std::int64_t kStatusMax = 99'999;

  explicit EventBuilder(const JsonFields* fields) : fields_(*fields) {}

  void Begin(TimeUs record_time);
  Event& event() { return event_; }
  const Event& event() const { return event_; }

  // Whether a value of this rank may fill the target, and that it now does; see JsonAction.
  bool Counts(JsonTarget target, std::uint8_t rank) const {
    return rank >= ranks_[static_cast<std::size_t>(SlotOf(target))];
  }
  void Keep(JsonTarget target, std::uint8_t rank) {
    ranks_[static_cast<std::size_t>(SlotOf(target))] = rank;
  }

  EventFault SetNumber(JsonTarget target, double number);
  EventFault SetWord(JsonTarget target, std::string_view text);
  EventFault SetTime(std::string_view text);
  EventFault AddLabel(std::string_view name, std::string_view text);

  EventFault Complete();

 private:
  // Targets that fill the same field share a rank.
  static JsonTarget SlotOf(JsonTarget target) {
    return target == JsonTarget::kDurationNs ? JsonTarget::kDurationMs : target;
  }

  const JsonFields& fields_;
  EndpointTemplate endpoint_;
  Event event_;
  TimeUs record_time_ = kNoTime;
  std::array<std::uint8_t, kJsonTargets> ranks_{};
  // Words that only some types of events understand: an alarm's `state`, a connection's `action`.
  std::array<bool, kJsonTargets> unknown_words_{};
  bool has_unknown_words_ = false;
  std::array<LabelView, limits::kLabelsMax> labels_;
  std::size_t label_count_ = 0;
};

}  // namespace tocsin

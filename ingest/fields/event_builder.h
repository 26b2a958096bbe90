// Fills an event with values that have names, as those of JSON have: which one counts where several
// feed the same field, what a value may be, and what the whole lacks.
//
//   EventBuilder builder(&fields, input);
//   builder.Begin(record_time);                       // the mapping's constants
//   const FieldEntry* entry = …;                       // what `fields` says about a name
//   EventFault fault = builder.Store(*entry, "503");
//   fault = builder.Complete();                       // empty: builder.event() is an event
//
// JSON, whose values have types, goes step by step: Counts, SetNumber and the like, Keep. Allocates
// nothing. The views of the event are the callers'; they live as long as those, and until
// Begin. Faults are static texts. Not thread-safe.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "config/config.h"
#include "core/event.h"
#include "core/limits.h"
#include "ingest/fields/endpoint_template.h"
#include "ingest/fields/field_map.h"
#include "ingest/fields/iso_time.h"
#include "ingest/fields/plain_duration.h"
#include "ingest/fields/text_time.h"

namespace tocsin {

using EventFault = std::string_view;  // empty: none

class EventBuilder {
 public:
  // A larger status is out of range.
  static constexpr std::int64_t kStatusMax = 99'999;
  static constexpr EventFault kLabelCount = "more than 64 labels";
  static constexpr EventFault kLabelSize = "a label of more than 1 KiB";

  EventBuilder(const FieldMap* fields, const InputConfig& input)
      : fields_(*fields), stamps_(input) {}

  void Begin(TimeUs record_time);
  // Begins with all that another one was given, which many records have in common. REQUIRES: that
  // one is of the same fields, not complete, and stays as it is while the event lives.
  void BeginAs(const EventBuilder& shared);
  Event& event() { return event_; }
  const Event& event() const { return event_; }

  // Whether a value of this rank may fill the target, and that it now does; see FieldAction.
  bool Counts(FieldTarget target, std::uint8_t rank) const {
    return rank >= ranks_[static_cast<std::size_t>(SlotOf(target))];
  }
  void Keep(FieldTarget target, std::uint8_t rank) {
    ranks_[static_cast<std::size_t>(SlotOf(target))] = rank;
  }

  // A value that is a text, in all that it feeds. Nothing is stored of an empty one.
  EventFault Store(const FieldEntry& entry, std::string_view text);
  // `stored`: whether there was a value.
  EventFault SetText(FieldTarget target, std::string_view text, bool* stored);
  EventFault SetNumber(FieldTarget target, double number);
  EventFault SetWord(FieldTarget target, std::string_view text);
  EventFault SetTime(std::string_view text);
  EventFault AddLabel(std::string_view name, std::string_view text);
  // The same for one of a name that no label has, and of a text that is something.
  EventFault AddNewLabel(std::string_view name, std::string_view text) {
    static_assert(limits::kLabelsMax == 64 && limits::kLabelValueBytesMax == 1024);
    if (name.size() > limits::kLabelValueBytesMax || text.size() > limits::kLabelValueBytesMax) {
      return kLabelSize;
    }
    if (label_count_ == labels_.size()) return kLabelCount;
    labels_[label_count_++] = {name, text};
    return {};
  }

  EventFault Complete();

  // For several events that differ in a few labels, behind Complete: the labels up to a count stay,
  // and those that were added since are shown.
  std::size_t label_count() const { return label_count_; }
  void CutLabels(std::size_t count) { label_count_ = count; }
  void CompleteLabels() { event_.labels = {labels_.data(), label_count_}; }

  // For a record like the one before, with other values at some of its names: what that left in the
  // event stays, but for these.
  //
  //   builder.event().Set(Field::kUser, "ann");         // texts that are taken as they stand
  //   if (builder.Replace(FieldTarget::kDuration, "1.5s", record_time)) builder.Renew(targets);
  //
  // REQUIRES: no text is empty, the targets are replaceable and nothing else of the record feeds
  // their slots, and the views of the record before still live; of Replace also, that
  // kReplacePadding bytes may be read from the text's begin on. False: there is no such value; the
  // record must be read as a whole, or this be done again for another one.
  static constexpr std::size_t kReplacePadding = PlainDuration::kBytes;
  bool Replace(FieldTarget target, std::string_view text, TimeUs record_time) {
    // The forms that most have.
    if (target == FieldTarget::kTime) {
      event_.time = time_.ParseInMinute(text);
      if (event_.time != kNoTime) return true;
    } else if (target == FieldTarget::kDuration) {
      event_.duration = PlainDuration::Parse(text);
      if (event_.duration >= 0) return true;
    }
    return ReplaceAny(target, text, record_time);
  }
  // `targets`: what was replaced, as bits of slots.
  void Renew(std::uint64_t targets) {
    if ((targets & SlotBit(FieldTarget::kStatus)) != 0) RenewStatus();
    if ((targets & SlotBit(static_cast<FieldTarget>(Field::kEndpoint))) != 0) {
      TakePath();
      ApplyTemplate();
    }
  }
  // The one target that an entry feeds, where that may be replaced.
  std::optional<FieldTarget> ReplaceableTarget(const FieldEntry& entry) const;
  // The slots that the entry feeds, a bit each.
  std::uint64_t SlotsOf(const FieldEntry& entry) const;
  static constexpr std::uint64_t SlotBit(FieldTarget target) {
    static_assert(kJsonTargets <= 64);
    return std::uint64_t{1} << static_cast<int>(SlotOf(target));
  }

 private:
  EventFault StoreOne(const FieldAction& action, std::string_view text);
  bool ReplaceAny(FieldTarget target, std::string_view text, TimeUs record_time);
  void RenewStatus();
  EventFault SetNumberText(FieldTarget target, std::string_view text);
  EventFault SetDuration(FieldTarget target, std::string_view text);
  void SetLevel(FieldTarget target, std::string_view text);
  // What a preset's event is, and its texts as events have them.
  void CompletePreset();
  void DeriveType();
  // Of an endpoint that is a whole URL.
  void TakePath() {
    if (event_.Get(Field::kEndpoint).starts_with("http")) TakePathOfUrl();
  }
  void TakePathOfUrl();
  // To the endpoint; a query's is the name of a statement.
  void ApplyTemplate() {
    const std::string_view endpoint = event_.Get(Field::kEndpoint);
    if (endpoint.empty() || event_.type == EventType::kQuery) return;
    event_.Set(Field::kEndpoint, endpoint_.Apply(endpoint));
  }

  const FieldMap& fields_;
  const TextTime stamps_;
  IsoTime time_;
  EndpointTemplate endpoint_;
  Event event_;
  TimeUs record_time_ = kNoTime;
  std::array<std::uint8_t, kJsonTargets> ranks_{};
  // Words that only some types of events understand: an alarm's `state`, a connection's `action`.
  std::array<bool, kJsonTargets> unknown_words_{};
  bool has_unknown_words_ = false;
  std::array<LabelView, limits::kLabelsMax> labels_;
  std::size_t label_count_ = 0;
  std::array<char, 16> level_;
  std::string_view request_line_;
  bool type_is_derived_ = false;  // by Complete
};

}  // namespace tocsin

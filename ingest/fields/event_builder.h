// Builds an event from named values, such as the members of a JSON object: decides which value wins
// if several map to the same field, converts and validates values, and completes the event.
//
//   EventBuilder builder(&fields, input);
//   builder.Begin(record_time);                       // the mapping's constants
//   const FieldEntry* entry = …;                       // what `fields` has for a name
//   EventFault fault = builder.Store(*entry, "503");
//   fault = builder.Complete();                       // empty: builder.event() is valid
//
// JSON decoders, whose values are typed, use the single steps: Counts, then SetNumber or the like,
// then Keep. Allocates nothing. The event's views refer to the caller's strings; they are valid
// until Begin and no longer than those strings. Faults are static strings. Not thread-safe.
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

using EventFault = std::string_view;  // empty: no fault

class EventBuilder {
 public:
  // A larger status is out of range.
  static constexpr std::int64_t kStatusMax = 99'999;
  static constexpr EventFault kLabelCount = "more than 64 labels";
  static constexpr EventFault kLabelSize = "a label of more than 1 KiB";

  EventBuilder(const FieldMap* fields, const InputConfig& input)
      : fields_(*fields), text_time_(input) {}

  void Begin(TimeUs record_time);
  // Begins with everything stored in another builder, for records that share values. REQUIRES:
  // `shared` has the same fields, is not complete, and is unchanged while the event is in use.
  void BeginAs(const EventBuilder& shared);
  Event& event() { return event_; }
  const Event& event() const { return event_; }

  // Whether a value of this rank may fill the target, and to record that it did; see FieldAction.
  bool Counts(FieldTarget target, std::uint8_t rank) const {
    return rank >= ranks_[static_cast<std::size_t>(SlotOf(target))];
  }
  void Keep(FieldTarget target, std::uint8_t rank) {
    ranks_[static_cast<std::size_t>(SlotOf(target))] = rank;
  }

  // Stores a string value in all targets of `entry`. An empty string stores nothing.
  EventFault Store(const FieldEntry& entry, std::string_view text);
  // `stored`: whether `text` was a value. It is not if it is empty or a dash that means absent.
  EventFault SetText(FieldTarget target, std::string_view text, bool* stored);
  EventFault SetNumber(FieldTarget target, double number);
  EventFault SetWord(FieldTarget target, std::string_view text);
  EventFault SetTime(std::string_view text);
  EventFault AddLabel(std::string_view name, std::string_view text);
  // The same without looking for duplicates and empty values. REQUIRES: no label has this name, and
  // `text` is not empty.
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

  // For several events that differ only in some labels. After Complete: CutLabels keeps the first
  // `count` labels, AddLabel adds others, and CompleteLabels updates the event.
  std::size_t label_count() const { return label_count_; }
  void CutLabels(std::size_t count) { label_count_ = count; }
  void CompleteLabels() { event_.labels = {labels_.data(), label_count_}; }

  // For a record that differs from the previous one only in the values of some names: replaces
  // those values and keeps everything else in the event.
  //
  //   builder.event().Set(Field::kUser, "ann");         // string fields stored unchanged
  //   if (builder.Replace(FieldTarget::kDuration, "1.5s", record_time)) builder.Renew(targets);
  //
  // Returns false if the value is invalid; then read the whole record, or replace the same values
  // again for another record. REQUIRES: `text` is not empty; the targets are replaceable, and
  // nothing else in the record fills their slots; the views of the previous record are still valid;
  // for Replace, kReplacePadding bytes are readable from the beginning of `text`.
  static constexpr std::size_t kReplacePadding = PlainDuration::kBytes;
  bool Replace(FieldTarget target, std::string_view text, TimeUs record_time) {
    // The most common forms.
    if (target == FieldTarget::kTime) {
      event_.time = time_.ParseInMinute(text);
      if (event_.time != kNoTime) return true;
    } else if (target == FieldTarget::kDuration) {
      event_.duration = PlainDuration::Parse(text);
      if (event_.duration >= 0) return true;
    }
    return ReplaceAny(target, text, record_time);
  }
  // Updates what derives from the replaced values. `targets`: their slots, as bits (SlotBit).
  void Renew(std::uint64_t targets) {
    if ((targets & SlotBit(FieldTarget::kStatus)) != 0) RenewStatus();
    if ((targets & SlotBit(static_cast<FieldTarget>(Field::kEndpoint))) != 0) {
      TakePath();
      ApplyTemplate();
    }
  }
  // The target of an entry that has only one, if it is replaceable.
  std::optional<FieldTarget> ReplaceableTarget(const FieldEntry& entry) const;
  // The slots that the entry fills, one bit each.
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
  // With a preset: removes dashes that mean absent, splits the request line and derives the type.
  void CompletePreset();
  void DeriveType();
  // If the endpoint is a whole URL, keeps only its path.
  void TakePath() {
    if (event_.Get(Field::kEndpoint).starts_with("http")) TakePathOfUrl();
  }
  void TakePathOfUrl();
  // Replaces ids in the endpoint, except for queries: their endpoint is the name of a statement.
  void ApplyTemplate() {
    const std::string_view endpoint = event_.Get(Field::kEndpoint);
    if (endpoint.empty() || event_.type == EventType::kQuery) return;
    event_.Set(Field::kEndpoint, endpoint_.Apply(endpoint));
  }

  const FieldMap& fields_;
  const TextTime text_time_;
  IsoTime time_;
  EndpointTemplate endpoint_;
  Event event_;
  TimeUs record_time_ = kNoTime;
  std::array<std::uint8_t, kJsonTargets> ranks_{};
  // Slots with an unknown word, which is a fault only for some event types: an alarm's `state`, a
  // connection's `action`.
  std::array<bool, kJsonTargets> unknown_words_{};
  bool has_unknown_words_ = false;
  std::array<LabelView, limits::kLabelsMax> labels_;
  std::size_t label_count_ = 0;
  std::array<char, 16> level_;
  std::string_view request_line_;
  bool type_is_derived_ = false;  // by Complete
};

}  // namespace tocsin

#include "ingest/event_builder.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <optional>
#include <type_traits>
#include <vector>

#include "core/time.h"

namespace tocsin {
namespace {

// Sampling weights; more would overflow 64-bit counts after a few million events.
constexpr std::int64_t kWeightMax = std::int64_t{1} << 32;

// *to = from, in pieces that compilers copy with moves: for the whole of it they take `rep movs`,
// which needs longer to start than this does.
void CopyEvent(const Event& from, Event* to) {
  static_assert(std::is_trivially_copyable_v<Event>);
  constexpr std::size_t kPiece = 64;
  const char* in = reinterpret_cast<const char*>(&from);
  char* out = reinterpret_cast<char*>(to);
  std::size_t left = sizeof(Event);
  for (; left >= kPiece; left -= kPiece, in += kPiece, out += kPiece) std::memcpy(out, in, kPiece);
  std::memcpy(out, in, sizeof(Event) % kPiece);
}

// Truncation to an integer, without the call that std::trunc may be. REQUIRES: a number within
// limits::kNumberMagnitudeMax.
double Truncated(double number) { return static_cast<double>(static_cast<std::int64_t>(number)); }

// REQUIRES: not negative.
DurationUs ToMicroseconds(double duration) { return static_cast<DurationUs>(duration + 0.5); }

}  // namespace

void EventBuilder::Begin(TimeUs record_time) {
  CopyEvent(fields_.base(), &event_);
  record_time_ = record_time;
  ranks_.fill(0);
  if (has_unknown_words_) unknown_words_.fill(false);
  has_unknown_words_ = false;
  const std::vector<LabelView>& constants = fields_.constant_labels();
  std::copy(constants.begin(), constants.end(), labels_.begin());
  label_count_ = constants.size();
}

// The first words of each list are the commonest.
EventFault EventBuilder::SetWord(JsonTarget target, std::string_view text) {
  const auto find = [&](auto* field, int count, auto name_of) {
    for (int i = 0; i < count; ++i) {
      const auto candidate = static_cast<std::remove_pointer_t<decltype(field)>>(i);
      if (name_of(candidate) != text) continue;
      *field = candidate;
      return true;
    }
    return false;
  };
  bool known = false;
  switch (target) {
    case JsonTarget::kType:
      return find(&event_.type, kEventTypes, EventTypeName) ? EventFault() : WrongType(target);
    case JsonTarget::kOutcome:
      // ECS knows "unknown" as well, which is what a missing outcome is.
      if (text == "unknown") return {};
      return find(&event_.outcome, 3, OutcomeName) ? EventFault() : WrongType(target);
    case JsonTarget::kAction:
      known = find(&event_.action, 4, ConnectionActionName);
      break;
    case JsonTarget::kState:
      known = find(&event_.state, 4, AlarmStateName);
      break;
    default:
      known = find(&event_.metric_type, 5, MetricTypeName);
      break;
  }
  unknown_words_[static_cast<std::size_t>(target)] = !known;
  has_unknown_words_ |= !known;
  return {};
}

EventFault EventBuilder::SetNumber(JsonTarget target, double number) {
  if (!(std::fabs(number) <= limits::kNumberMagnitudeMax)) return OutOfRange(target);
  switch (target) {
    case JsonTarget::kStatus:
      if (number != Truncated(number)) return WrongType(target);
      if (number < 0 || number > static_cast<double>(kStatusMax)) return OutOfRange(target);
      event_.status = static_cast<std::int32_t>(number);
      break;
    case JsonTarget::kWeight:
      if (number != Truncated(number)) return WrongType(target);
      if (number < 1 || number > static_cast<double>(kWeightMax)) return OutOfRange(target);
      event_.weight = static_cast<std::int64_t>(number);
      break;
    case JsonTarget::kDurationMs:
      if (number < 0 || number * 1e3 > limits::kNumberMagnitudeMax) return OutOfRange(target);
      event_.duration = ToMicroseconds(number * 1e3);
      break;
    case JsonTarget::kDurationNs:
      if (number < 0) return OutOfRange(target);
      event_.duration = ToMicroseconds(number / 1e3);
      break;
    case JsonTarget::kValue:
      event_.value = number;
      break;
    case JsonTarget::kLimit:
      event_.limit = number;
      break;
    case JsonTarget::kCvss:
      event_.cvss = number;
      break;
    case JsonTarget::kAmount:
      event_.amount = number;
      break;
    case JsonTarget::kCount:
      event_.count = number;
      break;
    case JsonTarget::kSum:
      event_.sum = number;
      break;
    case JsonTarget::kMin:
      event_.min = number;
      break;
    default:
      event_.max = number;
      break;
  }
  return {};
}

EventFault EventBuilder::SetTime(std::string_view text) {
  const std::optional<TimeUs> time = ParseTime(text);
  if (!time) return WrongType(JsonTarget::kTime);
  event_.time = *time;
  return {};
}

EventFault EventBuilder::AddLabel(std::string_view name, std::string_view text) {
  static_assert(limits::kLabelsMax == 64 && limits::kLabelValueBytesMax == 1024);
  if (name.size() > limits::kLabelValueBytesMax || text.size() > limits::kLabelValueBytesMax) {
    return "a label of more than 1 KiB";
  }
  if (label_count_ == labels_.size()) return "more than 64 labels";
  labels_[label_count_++] = {name, text};
  return {};
}

EventFault EventBuilder::Complete() {
  if (event_.time == kNoTime) {
    if (record_time_ == kNoTime) return "no time";
    event_.time = record_time_;
  }
  if (has_unknown_words_) {
    // Logs and requests have a `state` or an `action` of their own, which is none of ours.
    const auto refuses = [&](EventType type, JsonTarget target) {
      return event_.type == type && unknown_words_[static_cast<std::size_t>(target)];
    };
    if (refuses(EventType::kConnection, JsonTarget::kAction)) return WrongType(JsonTarget::kAction);
    if (refuses(EventType::kAlarm, JsonTarget::kState)) return WrongType(JsonTarget::kState);
    if (refuses(EventType::kMetric, JsonTarget::kMetricType)) {
      return WrongType(JsonTarget::kMetricType);
    }
  }
  if (event_.max && event_.metric_type == MetricType::kGauge) {
    if (!event_.limit) event_.limit = event_.max;
    event_.max.reset();
  }
  // A query's endpoint is the name of a statement.
  if (const std::string_view endpoint = event_.Get(Field::kEndpoint);
      !endpoint.empty() && event_.type != EventType::kQuery) {
    event_.Set(Field::kEndpoint, endpoint_.Apply(endpoint));
  }
  event_.labels = {labels_.data(), label_count_};
  event_.Normalize();
  return {};
}

}  // namespace tocsin

#include "ingest/fields/event_builder.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <iterator>
#include <optional>
#include <system_error>
#include <type_traits>
#include <vector>

#include "core/ascii.h"
#include "core/short_text.h"
#include "core/time.h"
#include "ingest/fields/request_line.h"

namespace tocsin {
namespace {

// Sampling weights; more would overflow 64-bit counts after a few million events.
constexpr std::int64_t kWeightMax = std::int64_t{1} << 32;

// *to = from, in pieces that compilers copy with plain moves. For the whole struct they use
// `rep movs`, whose start-up alone takes longer than this.
void CopyEvent(const Event& from, Event* to) {
  static_assert(std::is_trivially_copyable_v<Event>);
  constexpr std::size_t kPiece = 64;
  const char* in = reinterpret_cast<const char*>(&from);
  char* out = reinterpret_cast<char*>(to);
  std::size_t left = sizeof(Event);
  for (; left >= kPiece; left -= kPiece, in += kPiece, out += kPiece) std::memcpy(out, in, kPiece);
  std::memcpy(out, in, sizeof(Event) % kPiece);
}

// Truncates to an integer; std::trunc may be a function call. REQUIRES: a number within
// limits::kNumberMagnitudeMax.
double Truncated(double number) { return static_cast<double>(static_cast<std::int64_t>(number)); }

// REQUIRES: not negative.
DurationUs ToMicroseconds(double duration) { return static_cast<DurationUs>(duration + 0.5); }

struct Unit {
  std::string_view name;
  double milliseconds;
};
// Units of Go's durations and of other libraries; Go accepts both micro signs.
constexpr Unit kUnits[] = {{"ms", 1},    {"s", 1e3}, {"us", 1e-3}, {"\u00B5s", 1e-3},
                           {"ns", 1e-6}, {"m", 6e4}, {"h", 3.6e6}, {"\u03BCs", 1e-3}};

struct Spelling {
  std::string_view short_form;
  std::string_view level;
};
// Abbreviations used by syslog and log15.
constexpr Spelling kLevels[] = {{"err", "error"},       {"crit", "critical"},
                                {"emerg", "emergency"}, {"informational", "info"},
                                {"eror", "error"},      {"dbug", "debug"}};

// The level numbers of pino and bunyan; custom levels lie between them.
// https://github.com/pinojs/pino/blob/main/docs/api.md#level-string
// https://github.com/trentm/node-bunyan#levels
std::string_view LevelOfNumber(double number) {
  if (number >= 60) return "fatal";
  if (number >= 50) return "error";
  if (number >= 40) return "warn";
  if (number >= 30) return "info";
  return number >= 20 ? "debug" : "trace";
}

// https://opentelemetry.io/docs/specs/otel/logs/data-model/#field-severitynumber
std::string_view LevelOfSeverity(double number) {
  if (number >= 21) return "fatal";
  if (number >= 17) return "error";
  if (number >= 13) return "warn";
  if (number >= 9) return "info";
  return number >= 5 ? "debug" : "trace";
}

std::optional<double> ParseNumber(std::string_view text) {
  double number = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || rest != end) return std::nullopt;
  return number;
}

bool AreDigits(std::string_view text) { return std::all_of(text.begin(), text.end(), IsDigit); }

// Removes a decimal such as "12.5" from the beginning of a string.
std::optional<double> TakeDecimal(std::string_view* text) {
  constexpr std::size_t kDigitsMax = 18;  // cannot overflow 64 bits
  std::uint64_t digits = 0;
  double scale = 1;
  bool fraction = false;
  std::size_t at = 0;
  for (; at < text->size() && at <= kDigitsMax; ++at) {
    const char c = (*text)[at];
    if (c == '.' && !fraction) {
      fraction = true;
    } else if (IsDigit(c)) {
      digits = 10 * digits + static_cast<std::uint64_t>(c - '0');
      if (fraction) scale *= 10;
    } else {
      break;
    }
  }
  if (at == 0 || at > kDigitsMax || !IsDigit((*text)[at - 1])) return std::nullopt;
  text->remove_prefix(at);
  return static_cast<double>(digits) / scale;
}

}  // namespace

void EventBuilder::Begin(TimeUs record_time) {
  CopyEvent(fields_.base(), &event_);
  record_time_ = record_time;
  request_line_ = {};
  type_is_derived_ = false;
  ranks_.fill(0);
  if (has_unknown_words_) unknown_words_.fill(false);
  has_unknown_words_ = false;
  const std::vector<LabelView>& constants = fields_.constant_labels();
  std::copy(constants.begin(), constants.end(), labels_.begin());
  label_count_ = constants.size();
}

void EventBuilder::BeginAs(const EventBuilder& shared) {
  CopyEvent(shared.event_, &event_);
  record_time_ = shared.record_time_;
  request_line_ = shared.request_line_;
  type_is_derived_ = false;
  ranks_ = shared.ranks_;
  unknown_words_ = shared.unknown_words_;
  has_unknown_words_ = shared.has_unknown_words_;
  label_count_ = shared.label_count_;
  std::copy_n(shared.labels_.begin(), label_count_, labels_.begin());
}

// The words of each list are ordered by how common they are.
EventFault EventBuilder::SetWord(FieldTarget target, std::string_view text) {
  const auto find = [&](auto* field, int count, auto name_of) {
    for (int i = 0; i < count; ++i) {
      const auto candidate = static_cast<std::remove_pointer_t<decltype(field)>>(i);
      if (!EqualTexts(name_of(candidate), text)) continue;
      *field = candidate;
      return true;
    }
    return false;
  };
  bool known = false;
  switch (target) {
    case FieldTarget::kType:
      return find(&event_.type, kEventTypes, EventTypeName) ? EventFault() : WrongType(target);
    case FieldTarget::kOutcome:
      // ECS also has "unknown", which equals a missing outcome.
      if (text == "unknown") return {};
      return find(&event_.outcome, 3, OutcomeName) ? EventFault() : WrongType(target);
    case FieldTarget::kAction:
      known = find(&event_.action, 4, ConnectionActionName);
      break;
    case FieldTarget::kState:
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

EventFault EventBuilder::SetNumber(FieldTarget target, double number) {
  if (!(std::fabs(number) <= limits::kNumberMagnitudeMax)) return OutOfRange(target);
  switch (target) {
    case FieldTarget::kStatus:
      if (number != Truncated(number)) return WrongType(target);
      if (number < 0 || number > static_cast<double>(kStatusMax)) return OutOfRange(target);
      event_.status = static_cast<std::int32_t>(number);
      break;
    case FieldTarget::kWeight:
      if (number != Truncated(number)) return WrongType(target);
      if (number < 1 || number > static_cast<double>(kWeightMax)) return OutOfRange(target);
      event_.weight = static_cast<std::int64_t>(number);
      break;
    case FieldTarget::kDurationS:
      return SetNumber(FieldTarget::kDurationMs, number * 1e3);
    case FieldTarget::kDuration:
    case FieldTarget::kDurationMs:
      if (number < 0 || number * 1e3 > limits::kNumberMagnitudeMax) return OutOfRange(target);
      event_.duration = ToMicroseconds(number * 1e3);
      break;
    case FieldTarget::kDurationNs:
      if (number < 0) return OutOfRange(target);
      event_.duration = ToMicroseconds(number / 1e3);
      break;
    case FieldTarget::kValue:
      event_.value = number;
      break;
    case FieldTarget::kLimit:
      event_.limit = number;
      break;
    case FieldTarget::kCvss:
      event_.cvss = number;
      break;
    case FieldTarget::kAmount:
      event_.amount = number;
      break;
    case FieldTarget::kCount:
      event_.count = number;
      break;
    case FieldTarget::kSum:
      event_.sum = number;
      break;
    case FieldTarget::kMin:
      event_.min = number;
      break;
    default:
      event_.max = number;
      break;
  }
  return {};
}

EventFault EventBuilder::Store(const FieldEntry& entry, std::string_view text) {
  if (entry.only == FieldEntry::Only::kText) {
    if (text.empty() || !Counts(entry.target, entry.rank)) return {};
    event_.Set(static_cast<Field>(entry.target), text);
    Keep(entry.target, entry.rank);
    return {};
  }
  for (int index = entry.action; index >= 0;) {
    const FieldAction& action = fields_.action(index);
    if (const EventFault fault = StoreOne(action, text); !fault.empty()) return fault;
    index = action.next;
  }
  return {};
}

EventFault EventBuilder::StoreOne(const FieldAction& action, std::string_view text) {
  if (action.target == FieldTarget::kLabel) {
    return text.empty() ? EventFault() : AddLabel(fields_.label_name(action.label), text);
  }
  if (!Counts(action.target, action.rank)) return {};
  bool stored = false;
  const EventFault fault = SetText(action.target, text, &stored);
  if (!fault.empty()) return action.lenient ? EventFault() : fault;
  if (stored) Keep(action.target, action.rank);
  return {};
}

EventFault EventBuilder::SetText(FieldTarget target, std::string_view text, bool* stored) {
  const bool is_nothing =
      fields_.preset() != nullptr && fields_.preset()->dash_is_nothing && text == "-";
  *stored = !text.empty() && !is_nothing;
  if (!*stored) return {};
  if (IsText(target)) {
    event_.Set(static_cast<Field>(target), text);
    return {};
  }
  if (IsWord(target)) return SetWord(target, text);
  switch (target) {
    case FieldTarget::kTime:
      return SetTime(text);
    case FieldTarget::kDuration:
    case FieldTarget::kDurationS:
      return SetDuration(target, text);
    case FieldTarget::kLevelWord:
    case FieldTarget::kSeverityNumber:
      SetLevel(target, text);
      return {};
    case FieldTarget::kLine:
      while (text.ends_with('\n') || text.ends_with('\r')) text.remove_suffix(1);
      event_.Set(Field::kMessage, text);
      return {};
    case FieldTarget::kStack:
      event_.Set(Field::kException, text.substr(0, text.find_first_of("\r\n")));
      return {};
    case FieldTarget::kRequestLine:
      request_line_ = text;
      return {};
    case FieldTarget::kLabels:
      return WrongType(target);
    default:
      return SetNumberText(target, text);
  }
}

EventFault EventBuilder::SetNumberText(FieldTarget target, std::string_view text) {
  if (target == FieldTarget::kStatus && text.size() == 3 && IsDigit(text[0]) && IsDigit(text[1]) &&
      IsDigit(text[2])) {
    event_.status = 100 * (text[0] - '0') + 10 * (text[1] - '0') + (text[2] - '0');
    return {};
  }
  const std::optional<double> number = ParseNumber(text);
  const bool is_sound = number && (target != FieldTarget::kStatus || AreDigits(text));
  return is_sound ? SetNumber(target, *number) : WrongType(target);
}

EventFault EventBuilder::SetDuration(FieldTarget target, std::string_view text) {
  double milliseconds = 0;
  for (bool first = true; !text.empty(); first = false) {
    const std::optional<double> number = TakeDecimal(&text);
    if (!number) return WrongType(target);
    if (text.empty()) {
      if (!first) return WrongType(target);
      milliseconds = target == FieldTarget::kDurationS ? *number * 1e3 : *number;
      break;
    }
    std::size_t size = 0;
    while (size < text.size() && !IsDigit(text[size])) ++size;
    const std::string_view name = text.substr(0, size);
    const Unit* const unit =
        std::find_if(std::begin(kUnits), std::end(kUnits),
                     [&](const Unit& candidate) { return candidate.name == name; });
    if (unit == std::end(kUnits)) return WrongType(target);
    milliseconds += *number * unit->milliseconds;
    text.remove_prefix(size);
  }
  return SetNumber(FieldTarget::kDurationMs, milliseconds);
}

// In lower case, so that rules do not depend on the logging library.
void EventBuilder::SetLevel(FieldTarget target, std::string_view text) {
  if (const std::optional<double> number = IsDigit(text[0]) ? ParseNumber(text) : std::nullopt) {
    const bool severity = target == FieldTarget::kSeverityNumber;
    event_.Set(Field::kLevel, severity ? LevelOfSeverity(*number) : LevelOfNumber(*number));
    return;
  }
  if (text.size() <= level_.size()) {
    std::transform(text.begin(), text.end(), level_.begin(),
                   [](char c) { return IsUpper(c) ? static_cast<char>(c | 0x20) : c; });
    text = {level_.data(), text.size()};
    for (const Spelling& spelling : kLevels) {
      if (spelling.short_form == text) text = spelling.level;
    }
  }
  event_.Set(Field::kLevel, text);
}

EventFault EventBuilder::SetTime(std::string_view text) {
  std::optional<TimeUs> time = time_.Parse(text);
  if (fields_.preset() != nullptr && !(time && text.ends_with('Z'))) {
    // Other formats that logs use, with the time zone of the input.
    if (const std::optional<TimeUs> other = text_time_.ParseAll(text, record_time_)) time = other;
  }
  if (!time) return WrongType(FieldTarget::kTime);
  event_.time = *time;
  return {};
}

EventFault EventBuilder::AddLabel(std::string_view name, std::string_view text) {
  if (fields_.preset() != nullptr) {
    // If several keys of a log map to the same label, the first one counts.
    const bool is_nothing = text.empty() || (fields_.preset()->dash_is_nothing && text == "-");
    const auto known = labels_.begin() + static_cast<std::ptrdiff_t>(label_count_);
    // Compare length and last byte first: names mostly differ in those.
    const bool is_known = std::any_of(labels_.begin(), known, [&](const LabelView& label) {
      return label.first.size() == name.size() &&
             (name.empty() || label.first.back() == name.back()) && label.first == name;
    });
    if (is_nothing || is_known) return {};
  }
  return AddNewLabel(name, text);
}

EventFault EventBuilder::Complete() {
  if (event_.time == kNoTime) {
    if (record_time_ == kNoTime) return "no time";
    event_.time = record_time_;
  }
  if (has_unknown_words_) {
    // Only for these types: logs and requests may have an unrelated `state` or `action`.
    const auto refuses = [&](EventType type, FieldTarget target) {
      return event_.type == type && unknown_words_[static_cast<std::size_t>(target)];
    };
    if (refuses(EventType::kConnection, FieldTarget::kAction))
      return WrongType(FieldTarget::kAction);
    if (refuses(EventType::kAlarm, FieldTarget::kState)) return WrongType(FieldTarget::kState);
    if (refuses(EventType::kMetric, FieldTarget::kMetricType)) {
      return WrongType(FieldTarget::kMetricType);
    }
  }
  if (event_.max && event_.metric_type == MetricType::kGauge) {
    if (!event_.limit) event_.limit = event_.max;
    event_.max.reset();
  }
  if (fields_.preset() != nullptr) CompletePreset();
  ApplyTemplate();
  CompleteLabels();
  event_.Normalize();
  return {};
}

void EventBuilder::CompletePreset() {
  if (fields_.preset()->dash_is_nothing) {
    for (std::string_view& text : event_.text) {
      if (text == "-") text = {};
    }
  }
  const auto [method, target] =
      request_line_.empty() ? RequestLine() : ParseRequestLine(request_line_);
  if (!method.empty()) {
    const auto set = [this](Field field, std::string_view text) {
      if (ranks_[static_cast<std::size_t>(field)] < FieldAction::kMappedRank)
        event_.Set(field, text);
    };
    set(Field::kMethod, method);
    set(Field::kEndpoint, target);
  }
  TakePath();
  type_is_derived_ = event_.type == EventType::kUnknown;
  if (type_is_derived_) DeriveType();
}

void EventBuilder::TakePathOfUrl() {
  if (const std::string_view path = PathOf(event_.Get(Field::kEndpoint)); !path.empty()) {
    event_.Set(Field::kEndpoint, path);
  }
}

void EventBuilder::DeriveType() {
  // A request that timed out has no status.
  const bool has_method = !event_.Get(Field::kMethod).empty();
  const bool is_request = event_.status != 0 ? has_method || event_.duration >= 0
                                             : has_method && event_.duration >= 0 &&
                                                   !event_.Get(Field::kEndpoint).empty();
  event_.type = is_request ? EventType::kRequest : EventType::kLog;
}

bool EventBuilder::ReplaceAny(FieldTarget target, std::string_view text, TimeUs record_time) {
  record_time_ = record_time;
  bool stored = false;
  return SetText(target, text, &stored).empty() && stored;
}

void EventBuilder::RenewStatus() {
  if (type_is_derived_) DeriveType();
  event_.Normalize();
}

std::optional<FieldTarget> EventBuilder::ReplaceableTarget(const FieldEntry& entry) const {
  // Excluded are targets that Complete changes, that are stored separately, or that other fields
  // derive from.
  constexpr FieldTarget kReplaceable[] = {
      FieldTarget::kTime,       FieldTarget::kStatus,         FieldTarget::kDurationMs,
      FieldTarget::kDurationNs, FieldTarget::kDuration,       FieldTarget::kDurationS,
      FieldTarget::kWeight,     FieldTarget::kValue,          FieldTarget::kAmount,
      FieldTarget::kLevelWord,  FieldTarget::kSeverityNumber, FieldTarget::kLine,
      FieldTarget::kStack};
  const bool dash_is_nothing = fields_.preset() != nullptr && fields_.preset()->dash_is_nothing;
  if (entry.action < 0 || dash_is_nothing) return std::nullopt;
  const FieldAction& action = fields_.action(entry.action);
  const bool is_replaceable =
      IsText(action.target) || std::find(std::begin(kReplaceable), std::end(kReplaceable),
                                         action.target) != std::end(kReplaceable);
  return is_replaceable && action.next < 0 ? std::optional(action.target) : std::nullopt;
}

std::uint64_t EventBuilder::SlotsOf(const FieldEntry& entry) const {
  std::uint64_t slots = 0;
  for (int index = entry.action; index >= 0; index = fields_.action(index).next) {
    slots |= SlotBit(fields_.action(index).target);
  }
  return slots;
}

}  // namespace tocsin

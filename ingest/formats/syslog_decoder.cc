// syslog of any program, one `log` per line:
//
//   <13>1 2026-01-01T12:00:00.5Z web-1 shop 17 ID9 [a@1 tier="gold"] up and running     RFC 5424
//   <13>Jan  1 12:00:00 web-1 shop[17]: up and running                                   RFC 3164
//   2026-01-01T12:00:00.5+01:00 web-1 shop[17]: up and running             as rsyslog writes files
//
// https://www.rfc-editor.org/rfc/rfc5424#section-6
// https://www.rfc-editor.org/rfc/rfc3164#section-4
//
// The level is the severity in the priority; lines without a priority have no level. The framing of
// messages in a stream (RFC 6587's octet counts) is not supported: a record consists of lines
// already.

#include <algorithm>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include <simdjson.h>

#include "core/ascii.h"
#include "ingest/decoder.h"
#include "ingest/fields/line_labels.h"
#include "ingest/fields/mapped_constants.h"
#include "ingest/fields/text_time.h"
#include "ingest/text/text_lines.h"

namespace tocsin {
namespace {

using SyslogFault = std::string_view;  // static string; empty: no fault

constexpr int kPriorityMax = 191;
constexpr std::size_t kDataLabelsMax = 32;
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

constexpr std::string_view kLevels[] = {"emergency", "alert",  "critical", "error",
                                        "warning",   "notice", "info",     "debug"};
constexpr std::string_view kFacilities[] = {
    "kern",   "user",   "mail",     "daemon", "auth",   "syslog", "lpr",    "news",
    "uucp",   "cron",   "authpriv", "ftp",    "ntp",    "audit",  "alert",  "clock",
    "local0", "local1", "local2",   "local3", "local4", "local5", "local6", "local7"};

std::string_view OrNothing(std::string_view text) {
  return text == "-" ? std::string_view() : text;
}

// Takes the text up to a space, and removes the space as well.
std::string_view TakeWord(std::string_view* text) {
  const std::size_t end = std::min(text->find(' '), text->size());
  const std::string_view word = text->substr(0, end);
  text->remove_prefix(std::min(end + 1, text->size()));
  return word;
}

// Takes a priority such as "<13>"; −1 if there is none.
int TakePriority(std::string_view* text) {
  if (!text->starts_with('<')) return -1;
  int priority = 0;
  std::size_t at = 1;
  for (; at < text->size() && at < 4 && IsDigit((*text)[at]); ++at) {
    priority = 10 * priority + ((*text)[at] - '0');
  }
  if (at == 1 || at == text->size() || (*text)[at] != '>' || priority > kPriorityMax) return -1;
  text->remove_prefix(at + 1);
  return priority;
}

// Takes a tag such as "shop[17]: " or "shop: "; empty, with no effect, if there is none.
std::string_view TakeTag(std::string_view* text) {
  std::size_t at = text->find_first_of(" :[");
  if (at == text->npos || at == 0 || (*text)[at] == ' ') return {};
  const std::string_view tag = text->substr(0, at);
  if ((*text)[at] == '[') {
    at = text->find(']', at);
    if (at == text->npos) return {};
    ++at;
  }
  if (text->substr(at).starts_with(':')) ++at;
  if (at < text->size() && (*text)[at] != ' ') return {};
  text->remove_prefix(std::min(at + 1, text->size()));
  return tag;
}

class SyslogDecoder final : public Decoder {
 public:
  SyslogDecoder(const InputConfig& input, ErrorList* errors)
      : constants_(input, errors),
        labels_(constants_, {.of_a_line = kDataLabelsMax, .format = "a syslog message"}, input,
                errors),
        timestamps_(input) {}

  void Decode(std::string_view record, TimeUs record_time, EventSink* sink) override {
    ForEachLine(record, sink, [&](std::string_view line) {
      const SyslogFault fault = Read(line, record_time);
      if (fault.empty()) {
        sink->OnEvent(event_);
      } else {
        sink->OnUndecodable(line, fault);
      }
    });
  }

 private:
  SyslogFault Read(std::string_view line, TimeUs record_time);
  // Reads the fields after the version of RFC 5424.
  SyslogFault ReadFields(std::string_view* text, TimeUs record_time);
  // Reads the fields of the other forms, after the priority.
  SyslogFault ReadOldFields(std::string_view* text, bool has_priority, TimeUs record_time);
  SyslogFault ReadTime(std::string_view* text, TimeUs record_time);
  // Reads the structured data, "[id name="value" …][…]" or "-"; false if it is malformed.
  bool ReadData(std::string_view* text);
  bool ReadValue(std::string_view* text, std::string_view* value);

  MappedConstants constants_;
  LineLabels labels_;
  TextTime timestamps_;
  Event event_;
  std::string unescaped_;
};

SyslogFault SyslogDecoder::Read(std::string_view line, TimeUs record_time) {
  if (!simdjson::validate_utf8(line.data(), line.size())) return "not valid UTF-8";
  event_ = constants_.base();
  event_.type = EventType::kLog;
  labels_.Begin();
  std::string_view rest = line;
  const int priority = TakePriority(&rest);
  if (priority >= 0) {
    event_.Set(Field::kLevel, kLevels[priority % 8]);
    labels_.Add("facility", kFacilities[priority / 8]);
  }
  const bool has_version = priority >= 0 && rest.starts_with("1 ");
  if (has_version) rest.remove_prefix(2);
  const SyslogFault fault = has_version ? ReadFields(&rest, record_time)
                                        : ReadOldFields(&rest, priority >= 0, record_time);
  if (!fault.empty()) return fault;
  if (rest.starts_with(kByteOrderMark)) rest.remove_prefix(kByteOrderMark.size());
  event_.Set(Field::kMessage, rest);
  event_.labels = labels_.view();
  constants_.Apply(&event_);
  event_.Normalize();
  return {};
}

SyslogFault SyslogDecoder::ReadTime(std::string_view* text, TimeUs record_time) {
  const TextTime::Result result = timestamps_.Take(text, record_time, &event_.time);
  if (result == TextTime::Result::kNone) return "no time";
  if (result != TextTime::Result::kTaken) return TextTime::Fault(result);
  if (!text->starts_with(' ')) return "no time";
  text->remove_prefix(1);
  return {};
}

SyslogFault SyslogDecoder::ReadFields(std::string_view* text, TimeUs record_time) {
  if (text->starts_with("- ")) {
    text->remove_prefix(2);
    if (record_time == kNoTime) return "no time";
    event_.time = record_time;
  } else if (const SyslogFault fault = ReadTime(text, record_time); !fault.empty()) {
    return fault;
  }
  event_.Set(Field::kHost, OrNothing(TakeWord(text)));
  event_.Set(Field::kApp, OrNothing(TakeWord(text)));
  TakeWord(text);  // the process id
  labels_.Add("msgid", OrNothing(TakeWord(text)));
  if (!ReadData(text)) return "malformed structured data";
  if (text->starts_with(' ')) text->remove_prefix(1);
  return {};
}

SyslogFault SyslogDecoder::ReadOldFields(std::string_view* text, bool has_priority,
                                         TimeUs record_time) {
  const bool has_name = !text->empty() && IsUpper((*text)[0]);  // a month's name
  const bool has_t = text->size() > 10 && (*text)[10] == 'T';
  if (!has_priority && !has_name && !has_t)
    return "neither a syslog priority nor a syslog timestamp";
  if (const SyslogFault fault = ReadTime(text, record_time); !fault.empty()) return fault;
  // A line from the local machine may have no host.
  std::string_view tag = TakeTag(text);
  if (tag.empty()) {
    event_.Set(Field::kHost, TakeWord(text));
    tag = TakeTag(text);
  }
  // Many logs begin with an RFC 3339 time; in a syslog line, the program that wrote it follows.
  if (tag.empty() && !has_priority && !has_name) return "no program";
  event_.Set(Field::kApp, tag);
  return {};
}

bool SyslogDecoder::ReadData(std::string_view* text) {
  if (text->starts_with('-')) {
    text->remove_prefix(1);
    return text->empty() || text->starts_with(' ');
  }
  unescaped_.clear();
  if (!text->starts_with('[')) return false;
  while (text->starts_with('[')) {
    std::size_t at = text->find_first_of(" ]");
    if (at == text->npos) return false;
    text->remove_prefix(at);
    for (;;) {
      text->remove_prefix(std::min(text->find_first_not_of(' '), text->size()));
      if (text->starts_with(']')) break;
      at = text->find('=');
      if (at == text->npos || at == 0) return false;
      const std::string_view name = text->substr(0, at);
      text->remove_prefix(at + 1);
      std::string_view value;
      if (name.find_first_of("\"] ") != name.npos || !ReadValue(text, &value)) return false;
      labels_.Add(name, value);
    }
    text->remove_prefix(1);
  }
  return text->empty() || text->starts_with(' ');
}

bool SyslogDecoder::ReadValue(std::string_view* text, std::string_view* value) {
  // Some programs write a space before the value.
  text->remove_prefix(std::min(text->find_first_not_of(' '), text->size()));
  if (!text->starts_with('"')) return false;
  std::size_t at = 1;
  bool escapes = false;
  while (at < text->size() && (*text)[at] != '"') {
    escapes = escapes || (*text)[at] == '\\';
    at += (*text)[at] == '\\' ? 2 : 1;
  }
  if (at >= text->size()) return false;
  *value = text->substr(1, at - 1);
  if (escapes) {
    // Reserved once per line, so that views of it stay valid: unescaping never lengthens a string.
    unescaped_.reserve(unescaped_.size() + text->size());
    const std::size_t begin = unescaped_.size();
    for (std::size_t i = 0; i < value->size(); ++i) {
      constexpr std::string_view kEscaped = "\"\\]";
      const bool escape = (*value)[i] == '\\' && i + 1 < value->size() &&
                          kEscaped.find((*value)[i + 1]) != kEscaped.npos;
      if (escape) ++i;
      unescaped_ += (*value)[i];
    }
    *value = std::string_view(unescaped_).substr(begin);
  }
  text->remove_prefix(at + 1);
  return true;
}

}  // namespace

std::unique_ptr<Decoder> NewSyslogDecoder(const InputConfig& input, ErrorList* errors) {
  ErrorList own;
  auto decoder = std::make_unique<SyslogDecoder>(input, &own);
  if (own.empty()) return decoder;
  for (const ConfigError& error : own.Sorted()) errors->Add(error.at, error.message);
  return nullptr;
}

}  // namespace tocsin

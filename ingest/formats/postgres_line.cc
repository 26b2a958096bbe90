#include "ingest/formats/postgres_line.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <iterator>

#include "core/ascii.h"
#include "core/limits.h"

namespace tocsin {
namespace {

using Result = PostgresReader::Result;
using Kind = PostgresReader::Kind;

// The severity is searched for in this many bytes: prefixes are short, statements are not.
constexpr std::size_t kPrefixBytesMax = 1 << 10;
// https://www.postgresql.org/docs/current/runtime-config-logging.html#RUNTIME-CONFIG-LOGGING-CSVLOG
constexpr std::size_t kUserColumn = 1;
constexpr std::size_t kDatabaseColumn = 2;
constexpr std::size_t kClientColumn = 4;
constexpr std::size_t kSeverityColumn = 11;
constexpr std::size_t kMessageColumn = 13;
constexpr std::size_t kApplicationColumn = 22;
// The depth that simdjson's buffers are allocated for.
constexpr int kJsonDepthMax = limits::kJsonDepthMax;

constexpr std::string_view kSeverities[] = {"LOG",    "ERROR",  "FATAL", "WARNING", "NOTICE",
                                            "PANIC",  "INFO",   "DEBUG", "DEBUG1",  "DEBUG2",
                                            "DEBUG3", "DEBUG4", "DEBUG5"};
constexpr std::string_view kParts[] = {"DETAIL", "HINT",     "STATEMENT", "CONTEXT",
                                       "QUERY",  "LOCATION", "BACKTRACE"};

constexpr Result kContinuation = {Kind::kSkipped, "the rest of a message"};
constexpr Result kNotOurs = {Kind::kSkipped, PostgresReader::kOtherProgram};

template <std::size_t kCount>
bool Contains(const std::string_view (&words)[kCount], std::string_view word) {
  return std::find(std::begin(words), std::end(words), word) != std::end(words);
}

// PostgreSQL writes "[unknown]" for unknown values and "[local]" for a client on the same machine.
std::string_view Known(std::string_view text) {
  return text == "[unknown]" || text == "[local]" ? std::string_view() : text;
}

// "192.0.2.7:54321" and "192.0.2.7(54321)" without the port.
std::string_view WithoutPort(std::string_view client) {
  if (client.ends_with(')')) return Known(client.substr(0, client.find('(')));
  const std::size_t colon = client.rfind(':');
  if (colon == client.npos || colon + 1 == client.size()) return Known(client);
  const std::string_view port = client.substr(colon + 1);
  return std::all_of(port.begin(), port.end(), IsDigit) ? client.substr(0, colon) : client;
}

void TakeBlanks(std::string_view* text) {
  text->remove_prefix(std::min(text->find_first_not_of(' '), text->size()));
}

// Removes the priority of a syslog line, such as "<134>".
void TakePriority(std::string_view* text) {
  if (!text->starts_with('<')) return;
  std::size_t at = 1;
  while (at < text->size() && at < 4 && IsDigit((*text)[at])) ++at;
  if (at == 1 || at == text->size() || (*text)[at] != '>') return;
  text->remove_prefix(at + 1);
}

// Of a message that syslog split: 1 for its first part ("[19-1] "), 2 for any later part
// ("[19-3] "). 0 if there is no part number.
int PartNumber(std::string_view text) {
  // Another word in brackets may precede it.
  for (int words = 0; words < 2 && text.starts_with('['); ++words) {
    std::size_t at = 1;
    while (at < text.size() && IsDigit(text[at])) ++at;
    if (at > 1 && at + 1 < text.size() && text[at] == '-' && IsDigit(text[at + 1])) {
      return text[at + 1] == '1' && at + 2 < text.size() && text[at + 2] == ']' ? 1 : 2;
    }
    const std::size_t end = text.find(']');
    if (end == text.npos) return 0;
    text.remove_prefix(end + 1);
    TakeBlanks(&text);
  }
  return 0;
}

// Removes host and tag, which follow the timestamp of a syslog line, from `rest`. False if the tag
// is not PostgreSQL's.
bool TakeSyslogTag(std::string_view* rest, PostgresLine* line) {
  for (int words = 0; words < 2; ++words) {
    TakeBlanks(rest);
    const std::size_t end = std::min(rest->find(' '), rest->size());
    const std::string_view word = rest->substr(0, end);
    rest->remove_prefix(end);
    if (word.ends_with(':') || word.ends_with(']')) {
      TakeBlanks(rest);
      return word.find("postgres") != word.npos;
    }
    if (words == 0) line->host = word;
  }
  return false;
}

// Reads user@database or address(port) from a word of the prefix.
void TakePrefixWord(std::string_view word, PostgresLine* line) {
  if (const std::size_t at = word.find('@'); at != word.npos) {
    if (line->user.empty()) line->user = Known(word.substr(0, at));
    if (line->database.empty()) line->database = Known(word.substr(at + 1));
  } else if (word.ends_with(')') && word.find('(') != word.npos && line->client.empty()) {
    line->client = WithoutPort(word);
  }
}

void ReadPrefix(std::string_view prefix, PostgresLine* line) {
  for (const std::string_view key : {"user=", "usr=", "u="}) {
    if (line->user.empty()) line->user = PostgresValue(prefix, key);
  }
  for (const std::string_view key : {"db=", "database=", "dbname=", "d="}) {
    if (line->database.empty()) line->database = PostgresValue(prefix, key);
  }
  for (const std::string_view key : {"app=", "application=", "a="}) {
    if (line->application.empty()) line->application = PostgresValue(prefix, key);
  }
  for (const std::string_view key : {"client=", "host=", "remote=", "h=", "r="}) {
    if (line->client.empty()) line->client = WithoutPort(PostgresValue(prefix, key));
  }
  // RDS separates words by colons, which addresses contain as well; an address ends with its port.
  std::size_t begin = 0;
  for (std::size_t i = 0; i <= prefix.size(); ++i) {
    const char c = i < prefix.size() ? prefix[i] : ' ';
    if (c == ')') {
      std::string_view word = prefix.substr(begin, i + 1 - begin);
      if (word.starts_with(":::") || (word.starts_with(':') && !word.starts_with("::"))) {
        word.remove_prefix(1);
      }
      TakePrefixWord(word, line);
      begin = i + 1;
    } else if (c == ' ' || c == ',' || c == '[' || c == ']' ||
               (c == ':' && prefix.substr(begin, i - begin).find('@') != prefix.npos)) {
      std::string_view word = prefix.substr(begin, i - begin);
      word.remove_prefix(std::min(word.find_first_not_of(':'), word.size()));
      TakePrefixWord(word, line);
      begin = i + 1;
    }
  }
}

// Takes the next column of a CSV row. For a quoted column, `open` becomes whether the column
// continues on the next line.
std::string_view TakeColumn(std::string_view* row, bool* open) {
  if (!row->starts_with('"')) {
    const std::size_t end = std::min(row->find(','), row->size());
    const std::string_view column = row->substr(0, end);
    row->remove_prefix(std::min(end + 1, row->size()));
    return column;
  }
  std::size_t at = 1;
  while (at < row->size() && ((*row)[at] != '"' || row->substr(at + 1, 1) == "\"")) {
    at += (*row)[at] == '"' ? 2 : 1;
  }
  at = std::min(at, row->size());
  *open = at == row->size();
  const std::string_view column = row->substr(1, at - 1);
  row->remove_prefix(at);
  const std::size_t comma = std::min(row->find(','), row->size());
  row->remove_prefix(std::min(comma + 1, row->size()));
  return column;
}

std::string_view Text(const simdjson::dom::object& object, std::string_view key) {
  std::string_view text;
  if (object[key].get(text)) return {};
  return text;
}

}  // namespace

std::string_view PostgresValue(std::string_view text, std::string_view key) {
  for (std::size_t at = 0; (at = text.find(key, at)) != text.npos; ++at) {
    // The key must not be the end of a longer key.
    if (at > 0 && text[at - 1] != ' ' && text[at - 1] != ',' && text[at - 1] != '[' &&
        text[at - 1] != ';' && text[at - 1] != '|' && text[at - 1] != ':') {
      continue;
    }
    text.remove_prefix(at + key.size());
    return Known(text.substr(0, std::min(text.find_first_of(" ,"), text.size())));
  }
  return {};
}

Result PostgresReader::Read(std::string_view text, TimeUs record_time, PostgresLine* line) {
  *line = {};
  if (!simdjson::validate_utf8(text.data(), text.size())) {
    return {Kind::kUndecodable, "not valid UTF-8"};
  }
  if (text[0] == '\t' || text[0] == ' ') return kContinuation;
  const bool was_in_csv_row = in_csv_row_;
  in_csv_row_ = false;
  const Result result =
      text[0] == '{' ? ReadJson(text, record_time, line) : ReadText(text, record_time, line);
  if (was_in_csv_row && result.kind == Kind::kUndecodable) {
    in_csv_row_ = true;
    return kContinuation;
  }
  return result;
}

Result PostgresReader::ReadText(std::string_view text, TimeUs record_time, PostgresLine* line) {
  std::string_view rest = text;
  TakePriority(&rest);
  const bool is_syslog_time = !rest.empty() && IsUpper(rest[0]);
  const bool has_t = rest.size() > 10 && rest[10] == 'T';
  const TextTime::Result timestamp = timestamps_.Take(&rest, record_time, &line->time);
  if (timestamp != TextTime::Result::kTaken && timestamp != TextTime::Result::kNone) {
    return {Kind::kUndecodable, TextTime::Fault(timestamp)};
  }
  const bool has_time = timestamp == TextTime::Result::kTaken;
  if (has_time && rest.starts_with(',')) return ReadCsv(rest.substr(1), line);
  if (has_time && (is_syslog_time || has_t) && !TakeSyslogTag(&rest, line)) return kNotOurs;
  TakeBlanks(&rest);
  if (PartNumber(rest) > 1 || rest.starts_with("#011")) return kContinuation;
  const std::string_view head = rest.substr(0, kPrefixBytesMax);
  for (std::size_t at = 0; (at = head.find(":  ", at)) != head.npos; ++at) {
    std::size_t begin = at;
    while (begin > 0 && (IsUpper(head[begin - 1]) || IsDigit(head[begin - 1]))) --begin;
    const std::string_view word = head.substr(begin, at - begin);
    if (Contains(kParts, word)) return {Kind::kSkipped, "details of the previous message"};
    if (!Contains(kSeverities, word)) continue;
    if (!has_time) line->time = record_time;
    if (line->time == kNoTime) return {Kind::kUndecodable, "no time"};
    line->severity = word;
    line->message = rest.substr(at + 3);
    ReadPrefix(rest.substr(0, begin), line);
    return {};
  }
  return {Kind::kUndecodable, has_time ? "no severity" : "neither a time nor a severity"};
}

Result PostgresReader::ReadCsv(std::string_view columns, PostgresLine* line) {
  bool open = false;
  std::size_t column = kUserColumn;
  for (; !columns.empty() && !open && column <= kApplicationColumn; ++column) {
    const std::string_view text = TakeColumn(&columns, &open);
    switch (column) {
      case kUserColumn:
        line->user = Known(text);
        break;
      case kDatabaseColumn:
        line->database = Known(text);
        break;
      case kClientColumn:
        line->client = WithoutPort(text);
        break;
      case kSeverityColumn:
        line->severity = text;
        break;
      case kMessageColumn:
        line->message = text;
        break;
      case kApplicationColumn:
        line->application = Known(text);
        break;
      default:
        break;
    }
  }
  // A statement after the message may also continue on the next line.
  while (!columns.empty() && !open) TakeColumn(&columns, &open);
  if (column <= kMessageColumn || !Contains(kSeverities, line->severity)) {
    return {Kind::kUndecodable, "not a PostgreSQL csvlog row"};
  }
  in_csv_row_ = open;
  if (line->message.find("\"\"") != line->message.npos) {
    unquoted_.clear();
    for (std::size_t i = 0; i < line->message.size(); ++i) {
      unquoted_ += line->message[i];
      if (line->message[i] == '"') ++i;
    }
    line->message = unquoted_;
  }
  return {};
}

Result PostgresReader::ReadJson(std::string_view text, TimeUs record_time, PostgresLine* line) {
  padded_.resize(std::max(padded_.size(), text.size() + simdjson::SIMDJSON_PADDING));
  std::memcpy(padded_.data(), text.data(), text.size());
  if (parser_.max_depth() != kJsonDepthMax &&
      parser_.allocate(std::max<std::size_t>(text.size(), 64 << 10), kJsonDepthMax)) {
    return {Kind::kUndecodable, "no memory for a JSON line"};
  }
  simdjson::dom::object object;
  if (parser_.parse(padded_.data(), text.size(), /*realloc_if_needed=*/false).get(object)) {
    return {Kind::kUndecodable, "not a JSON object"};
  }
  line->host = Text(object, "logging_pod");
  simdjson::dom::object record;
  if (!object["record"].get(record)) return ReadRecord(record, record_time, line);
  const std::string_view payload = Text(object, "textPayload");
  if (payload.empty()) return ReadRecord(object, record_time, line);
  // Cloud SQL: the log line is in textPayload and its time in another key.
  std::string_view timestamp = Text(object, "timestamp");
  TimeUs time = record_time;
  if (!timestamp.empty() &&
      timestamps_.Take(&timestamp, record_time, &time) != TextTime::Result::kTaken) {
    return {Kind::kUndecodable, "invalid timestamp"};
  }
  if (payload[0] == '\t' || payload[0] == ' ') return kContinuation;
  const Result result = ReadText(payload, time, line);
  simdjson::dom::object labels;
  if (!object.at_pointer("/resource/labels").get(labels)) line->host = Text(labels, "database_id");
  return result;
}

Result PostgresReader::ReadRecord(const simdjson::dom::object& record, TimeUs record_time,
                                  PostgresLine* line) {
  line->severity = Text(record, "error_severity");
  if (line->severity.empty()) return kNotOurs;
  if (!Contains(kSeverities, line->severity)) {
    return {Kind::kUndecodable, "unknown error_severity"};
  }
  // Names of jsonlog first, then those of CloudNativePG, which are the names of the CSV columns.
  const auto either = [&](std::string_view first, std::string_view second) {
    const std::string_view text = Text(record, first);
    return Known(text.empty() ? Text(record, second) : text);
  };
  line->message = Text(record, "message");
  line->user = either("user", "user_name");
  line->database = either("dbname", "database_name");
  line->application = either("application_name", "application_name");
  line->client = Known(Text(record, "remote_host"));
  if (line->client.empty()) line->client = WithoutPort(Text(record, "connection_from"));
  std::string_view timestamp = either("timestamp", "log_time");
  if (timestamp.empty()) {
    line->time = record_time;
    return line->time == kNoTime ? Result{Kind::kUndecodable, "no time"} : Result{};
  }
  const TextTime::Result result = timestamps_.Take(&timestamp, record_time, &line->time);
  if (result == TextTime::Result::kNone) return {Kind::kUndecodable, "invalid timestamp"};
  if (result != TextTime::Result::kTaken) return {Kind::kUndecodable, TextTime::Fault(result)};
  return {};
}

}  // namespace tocsin

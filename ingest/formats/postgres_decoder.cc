// PostgreSQL logs: converts the lines that ingest/formats/postgres_line.h parses to events.
//
//   duration: 12.3 ms  statement: SELECT …     query, with its duration and the verb as method
//   connection received: host=…                connection, open
//   connection authorized: user=…              auth, success
//   password authentication failed …           auth, failure (and no pg_hba.conf entry …)
//   disconnection: …                           connection, close
//   everything else                            log, with level and message
//
// The dependency is the database, or "postgres" if a line has none. Skipped are lines that would
// count something twice (the steps of a statement before its execution, plans, connection
// authenticated), and statements without a duration, whose text would be mistaken for a message.

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <memory>
#include <string_view>
#include <system_error>

#include "core/limits.h"
#include "ingest/decoder.h"
#include "ingest/fields/mapped_constants.h"
#include "ingest/formats/postgres_line.h"
#include "ingest/text/text_lines.h"

namespace tocsin {
namespace {

using Kind = PostgresReader::Kind;
using Result = PostgresReader::Result;

constexpr std::string_view kDefaultDependency = "postgres";

std::string_view LevelOf(std::string_view severity) {
  if (severity == "ERROR") return "error";
  if (severity == "FATAL") return "fatal";
  if (severity == "PANIC") return "panic";
  if (severity == "WARNING") return "warning";
  if (severity == "NOTICE") return "notice";
  return severity.starts_with("DEBUG") ? "debug" : "info";
}

bool TakePrefix(std::string_view prefix, std::string_view* text) {
  if (!text->starts_with(prefix)) return false;
  text->remove_prefix(prefix.size());
  return true;
}

// The text in double quotes after `before`, which includes the opening quote.
std::string_view QuotedAfter(std::string_view text, std::string_view before) {
  const std::size_t at = text.find(before);
  if (at == text.npos) return {};
  text.remove_prefix(at + before.size());
  const std::size_t end = text.find('"');
  return end == text.npos ? std::string_view() : text.substr(0, end);
}

class PostgresDecoder final : public Decoder {
 public:
  PostgresDecoder(const InputConfig& input, ErrorList* errors)
      : constants_(input, errors), reader_(input) {}

  void Decode(std::string_view record, TimeUs record_time, EventSink* sink) override {
    ForEachLine(record, sink, [&](std::string_view text) {
      PostgresLine line;
      Result result = reader_.Read(text, record_time, &line);
      if (result.kind == Kind::kLine) result = Interpret(line);
      if (result.kind == Kind::kLine) {
        sink->OnEvent(event_);
      } else if (result.kind == Kind::kSkipped) {
        sink->OnSkipped(text, result.reason);
      } else {
        sink->OnUndecodable(text, result.reason);
      }
    });
  }

 private:
  Result Interpret(const PostgresLine& line);
  Result ReadDuration(std::string_view message);
  void SetVerb(std::string_view statement);
  // Sets type and fields for a message about a session; false if the message is about something
  // else.
  bool ReadSession(const PostgresLine& line);
  void SetText(Field field, std::string_view text) {
    if (!text.empty()) event_.Set(field, text);
  }

  MappedConstants constants_;
  PostgresReader reader_;
  Event event_;
  std::array<char, 16> verb_;
};

Result PostgresDecoder::Interpret(const PostgresLine& line) {
  event_ = constants_.base();
  event_.labels = {constants_.labels().data(), constants_.labels().size()};
  event_.time = line.time;
  event_.Set(Field::kUser, line.user);
  event_.Set(Field::kHost, line.host);
  event_.Set(Field::kClientIp, line.client);
  event_.Set(Field::kUserAgent, line.application);
  event_.Set(Field::kDependency, line.database);
  const std::string_view message = line.message;
  if (message.starts_with("duration: ")) {
    if (const Result result = ReadDuration(message); result.kind != Kind::kLine) return result;
  } else if (message.starts_with("statement: ") || message.starts_with("execute ") ||
             message.starts_with("AUDIT: ")) {
    return {Kind::kSkipped, "a statement without its duration"};
  } else if (message.starts_with("connection authenticated: ")) {
    return {Kind::kSkipped, "repeated by connection authorized"};
  } else if (!ReadSession(line)) {
    event_.type = EventType::kLog;
    event_.Set(Field::kLevel, LevelOf(line.severity));
    event_.Set(Field::kMessage, message);
  }
  if (event_.Get(Field::kDependency).empty()) event_.Set(Field::kDependency, kDefaultDependency);
  constants_.Apply(&event_);
  event_.Normalize();
  return {};
}

Result PostgresDecoder::ReadDuration(std::string_view message) {
  TakePrefix("duration: ", &message);
  double ms = 0;
  const char* const end = message.data() + message.size();
  const auto [rest, error] = std::from_chars(message.data(), end, ms, std::chars_format::fixed);
  message = {rest, static_cast<std::size_t>(end - rest)};
  if (error != std::errc() || !TakePrefix(" ms", &message)) {
    return {Kind::kUndecodable, "duration is not a number of milliseconds"};
  }
  if (!(ms >= 0 && ms * 1e3 <= limits::kNumberMagnitudeMax)) {
    return {Kind::kUndecodable, "a duration that is out of range"};
  }
  TakePrefix("  ", &message);
  if (message.starts_with("parse ") || message.starts_with("bind ")) {
    return {Kind::kSkipped, "a step before the execution of a statement"};
  }
  if (message.starts_with("plan:")) return {Kind::kSkipped, "a plan"};
  event_.type = EventType::kQuery;
  event_.duration = static_cast<DurationUs>(ms * 1e3 + 0.5);
  if (TakePrefix("statement: ", &message)) {
    SetVerb(message);
  } else if (message.starts_with("execute ")) {
    const std::size_t colon = message.find(": ");
    if (colon != message.npos) SetVerb(message.substr(colon + 2));
  }
  return {};
}

void PostgresDecoder::SetVerb(std::string_view statement) {
  statement.remove_prefix(std::min(statement.find_first_not_of(" \t"), statement.size()));
  std::size_t size = 0;
  for (; size < statement.size() && size < verb_.size(); ++size) {
    const char upper = static_cast<char>(statement[size] & ~0x20);
    if (upper < 'A' || upper > 'Z') break;
    verb_[size] = upper;
  }
  event_.Set(Field::kMethod, {verb_.data(), size});
}

bool PostgresDecoder::ReadSession(const PostgresLine& line) {
  const std::string_view message = line.message;
  const auto read_names = [&] {
    SetText(Field::kClientIp, PostgresValue(message, "host="));
    SetText(Field::kUser, PostgresValue(message, "user="));
    SetText(Field::kDependency, PostgresValue(message, "database="));
    SetText(Field::kUserAgent, PostgresValue(message, "application_name="));
  };
  if (message.starts_with("connection received: ")) {
    event_.type = EventType::kConnection;
    event_.action = ConnectionAction::kOpen;
    read_names();
  } else if (message.starts_with("disconnection: ")) {
    event_.type = EventType::kConnection;
    event_.action = ConnectionAction::kClose;
    read_names();
  } else if (message.starts_with("connection authorized: ") ||
             message.starts_with("replication connection authorized: ")) {
    event_.type = EventType::kAuth;
    event_.outcome = Outcome::kSuccess;
    read_names();
  } else if (line.severity == "FATAL" &&
             (message.find("authentication failed for user ") != message.npos ||
              message.starts_with("no pg_hba.conf entry for "))) {
    event_.type = EventType::kAuth;
    event_.outcome = Outcome::kFailure;
    event_.Set(Field::kLevel, LevelOf(line.severity));
    event_.Set(Field::kMessage, message);
    SetText(Field::kClientIp, QuotedAfter(message, "host \""));
    SetText(Field::kUser, QuotedAfter(message, "user \""));
    SetText(Field::kDependency, QuotedAfter(message, "database \""));
  } else {
    return false;
  }
  return true;
}

}  // namespace

std::unique_ptr<Decoder> NewPostgresDecoder(const InputConfig& input, ErrorList* errors) {
  ErrorList own;
  auto decoder = std::make_unique<PostgresDecoder>(input, &own);
  if (own.empty()) return decoder;
  for (const ConfigError& error : own.Sorted()) errors->Add(error.at, error.message);
  return nullptr;
}

}  // namespace tocsin

// The log that PgBouncer writes to a file:
//
//   2026-01-01 12:00:00.123 UTC [17] LOG C-0x55d5: shop/ann@192.0.2.7:5 login attempt: db=shop …
//   2026-01-01 12:00:00.123 UTC [17] LOG stats: 12 xacts/s, 15 queries/s, in 99 B/s, …, wait 9 us
//
// https://www.pgbouncer.org/config.html#log-settings; the messages are those in its source code.
//
//   login attempt: …, new connection to server …      connection, open
//   closing because: …                                connection, close
//   pooler error: no more connections allowed …       connection, reject
//   pooler error: … of a password or a user           auth, failure
//   stats: …                                          one metric per figure
//   everything else                                   log, with level and message
//
// Lines with `C-` are about client connections, those with `S-` about connections to PostgreSQL
// (label `side`). A client that was rejected also has a `closing because` line, which repeats the
// reason.

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <iterator>
#include <memory>
#include <string_view>
#include <system_error>

#include <simdjson.h>

#include "core/ascii.h"
#include "core/limits.h"
#include "ingest/decoder.h"
#include "ingest/fields/line_labels.h"
#include "ingest/fields/mapped_constants.h"
#include "ingest/fields/text_time.h"
#include "ingest/text/text_lines.h"

namespace tocsin {
namespace {

using PgbouncerFault = std::string_view;  // static string; empty: no fault

constexpr std::string_view kDefaultDependency = "pgbouncer";

struct Level {
  std::string_view word, level;
};
constexpr Level kLevels[] = {{"LOG", "info"},    {"INFO", "info"},   {"WARNING", "warning"},
                             {"ERROR", "error"}, {"FATAL", "fatal"}, {"DEBUG", "debug"},
                             {"NOISE", "debug"}};

// Parts of pooler errors that report a failed authentication.
constexpr std::string_view kRefusals[] = {"authentication failed", "auth failed",
                                          "no such user",          "password",
                                          "certificate",           "login rejected"};

struct Figure {
  std::string_view label;  // in the line
  std::string_view metric, unit;
};
constexpr Figure kFigures[] = {
    {"xacts/s", "pgbouncer_transactions", "1/s"}, {"queries/s", "pgbouncer_queries", "1/s"},
    {"in", "pgbouncer_bytes_in", "B/s"},          {"out", "pgbouncer_bytes_out", "B/s"},
    {"xact", "pgbouncer_transaction_time", "us"}, {"query", "pgbouncer_query_time", "us"},
    {"wait", "pgbouncer_wait_time", "us"},
};

bool TakePrefix(std::string_view prefix, std::string_view* text) {
  if (!text->starts_with(prefix)) return false;
  text->remove_prefix(prefix.size());
  return true;
}

std::string_view TakeWord(std::string_view* text) {
  const std::size_t end = std::min(text->find(' '), text->size());
  const std::string_view word = text->substr(0, end);
  text->remove_prefix(std::min(end + 1, text->size()));
  return word;
}

// PgBouncer writes "(nodb)" and the like for unknown values.
std::string_view Known(std::string_view text) {
  return text.starts_with('(') ? std::string_view() : text;
}

class PgbouncerDecoder final : public Decoder {
 public:
  PgbouncerDecoder(const InputConfig& input, ErrorList* errors)
      : constants_(input, errors),
        labels_(constants_, {.of_a_line = 1, .format = "PgBouncer's log"}, input, errors),
        timestamps_(input) {}

  void Decode(std::string_view record, TimeUs record_time, EventSink* sink) override {
    ForEachLine(record, sink, [&](std::string_view line) {
      if (line[0] == ' ' || line[0] == '\t') {
        sink->OnSkipped(line, "the rest of a message");
        return;
      }
      std::string_view message = line;
      PgbouncerFault fault = ReadHead(&message, record_time);
      if (fault.empty() && TakePrefix("stats: ", &message)) {
        fault = DeliverFigures(message, sink);
      } else if (fault.empty()) {
        Interpret(message);
        Deliver(sink);
      }
      if (!fault.empty()) sink->OnUndecodable(line, fault);
    });
  }

 private:
  // Reads time and level, and removes them from the line.
  PgbouncerFault ReadHead(std::string_view* line, TimeUs record_time);
  // Reads "C-0x55d5c5: shop/ann@192.0.2.7:54321 " and removes it from the message.
  void TakePeer(std::string_view* message);
  void Interpret(std::string_view message);
  PgbouncerFault DeliverFigures(std::string_view figures, EventSink* sink);
  void Deliver(EventSink* sink);

  MappedConstants constants_;
  LineLabels labels_;
  TextTime timestamps_;
  Event event_;
};

PgbouncerFault PgbouncerDecoder::ReadHead(std::string_view* line, TimeUs record_time) {
  if (!simdjson::validate_utf8(line->data(), line->size())) return "not valid UTF-8";
  event_ = constants_.base();
  labels_.Begin();
  const TextTime::Result timestamp = timestamps_.Take(line, record_time, &event_.time);
  if (timestamp == TextTime::Result::kNone) return "no time";
  if (timestamp != TextTime::Result::kTaken) return TextTime::Fault(timestamp);
  // The process id, which older versions write without brackets.
  line->remove_prefix(std::min(line->find_first_not_of(' '), line->size()));
  if (line->starts_with('[') || (!line->empty() && IsDigit((*line)[0]))) TakeWord(line);
  const std::string_view word = TakeWord(line);
  const auto* const level = std::find_if(std::begin(kLevels), std::end(kLevels),
                                         [&](const Level& known) { return known.word == word; });
  if (level == std::end(kLevels)) return "no level";
  event_.Set(Field::kLevel, level->level);
  return {};
}

void PgbouncerDecoder::TakePeer(std::string_view* message) {
  if (!message->starts_with("C-") && !message->starts_with("S-")) return;
  labels_.Add("side", message->starts_with("C-") ? "client" : "server");
  TakeWord(message);
  std::string_view peer = TakeWord(message);
  const std::size_t slash = peer.find('/');
  const std::size_t at = peer.rfind('@');
  if (slash == peer.npos || at == peer.npos || at < slash) return;
  event_.Set(Field::kDependency, Known(peer.substr(0, slash)));
  event_.Set(Field::kUser, Known(peer.substr(slash + 1, at - slash - 1)));
  const bool is_client = labels_.view().back().second == "client";
  std::string_view address = peer.substr(at + 1);
  address = address.substr(0, address.rfind(':'));
  if (address.starts_with('[') && address.ends_with(']')) {
    address = address.substr(1, address.size() - 2);
  }
  if (is_client && !address.starts_with("unix")) event_.Set(Field::kClientIp, address);
}

void PgbouncerDecoder::Interpret(std::string_view message) {
  TakePeer(&message);
  event_.type = EventType::kConnection;
  if (message.starts_with("login attempt: ") || message.starts_with("new connection to server")) {
    event_.action = ConnectionAction::kOpen;
  } else if (message.starts_with("closing because: ")) {
    event_.action = ConnectionAction::kClose;
  } else if (message.starts_with("pooler error: no more connections allowed")) {
    event_.action = ConnectionAction::kReject;
  } else if (message.starts_with("pooler error: ") &&
             std::any_of(std::begin(kRefusals), std::end(kRefusals),
                         [&](std::string_view why) { return message.find(why) != message.npos; })) {
    event_.type = EventType::kAuth;
    event_.outcome = Outcome::kFailure;
  } else {
    event_.type = EventType::kLog;
  }
  event_.Set(Field::kMessage, message);
}

// "12 xacts/s, …, in 1234 B/s, …, wait 89 us"
PgbouncerFault PgbouncerDecoder::DeliverFigures(std::string_view figures, EventSink* sink) {
  event_.type = EventType::kMetric;
  event_.Set(Field::kLevel, {});
  bool found = false;
  while (!figures.empty()) {
    const std::size_t comma = std::min(figures.find(", "), figures.size());
    std::string_view figure = figures.substr(0, comma);
    figures.remove_prefix(std::min(comma + 2, figures.size()));
    std::string_view label = TakeWord(&figure);
    std::string_view number = TakeWord(&figure);
    if (!label.empty() && IsDigit(label[0])) std::swap(label, number);
    const auto* const known = std::find_if(std::begin(kFigures), std::end(kFigures),
                                           [&](const Figure& f) { return f.label == label; });
    if (known == std::end(kFigures)) continue;  // a figure of a newer version
    double value = 0;
    const char* const end = number.data() + number.size();
    const auto [rest, error] = std::from_chars(number.data(), end, value);
    if (error != std::errc() || rest != end || !(value >= 0) ||
        value > limits::kNumberMagnitudeMax) {
      return "stats figure is not a number";
    }
    event_.Set(Field::kName, known->metric);
    event_.Set(Field::kUnit, known->unit);
    event_.value = value;
    Deliver(sink);
    found = true;
  }
  return found ? PgbouncerFault() : "stats without figures";
}

void PgbouncerDecoder::Deliver(EventSink* sink) {
  if (event_.Get(Field::kDependency).empty()) event_.Set(Field::kDependency, kDefaultDependency);
  event_.labels = labels_.view();
  constants_.Apply(&event_);
  event_.Normalize();
  sink->OnEvent(event_);
}

}  // namespace

std::unique_ptr<Decoder> NewPgbouncerDecoder(const InputConfig& input, ErrorList* errors) {
  ErrorList own;
  auto decoder = std::make_unique<PgbouncerDecoder>(input, &own);
  if (own.empty()) return decoder;
  for (const ConfigError& error : own.Sorted()) errors->Add(error.at, error.message);
  return nullptr;
}

}  // namespace tocsin

// One line of a PostgreSQL log, in whatever dress: what it says, as it stands.
//
//   PostgresReader reader(input);
//   PostgresLine line;
//   PostgresReader::Result result = reader.Read(text, record_time, &line);
//   if (result.kind == PostgresReader::Kind::kLine) …      // line.severity, line.message
//
// Understood are stderr with any log_line_prefix that has a time (%m, %t or %n), csvlog, jsonlog,
// syslog (RFC 3164 and with RFC 3339 stamps), Heroku's logplex, Google Cloud SQL's JSON and
// CloudNativePG's. Of the prefix, user, database, application and client are found where they are
// named (user=, db=, app=, client=), or written user@database and address(port).
//
// A message goes on in lines of its own: DETAIL, HINT, STATEMENT and the like, and the rest of a
// text with line feeds. They are skipped, so that every line stands for itself and reading may
// begin anywhere; the one thing remembered, that a CSV row goes on, only decides between skipping
// and undecodable. Views live until the next call and as long as the text. Not thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <simdjson.h>

#include "config/config.h"
#include "core/time.h"
#include "ingest/fields/text_time.h"

namespace tocsin {

struct PostgresLine {
  TimeUs time = kNoTime;
  std::string_view severity;  // "LOG", "ERROR", …
  std::string_view message;
  std::string_view user, database, application, client, host;
};

class PostgresReader {
 public:
  enum class Kind : std::uint8_t { kLine, kSkipped, kUndecodable };
  struct Result {
    Kind kind = Kind::kLine;
    std::string_view reason;  // static text, where it is no line
  };

  // Of a syslog that several programs write.
  static constexpr std::string_view kOtherProgram = "a line of another program";

  explicit PostgresReader(const InputConfig& input) : stamps_(input) {}

  // REQUIRES: text is not empty and at most limits::kEventBytesMax long.
  Result Read(std::string_view text, TimeUs record_time, PostgresLine* line);

 private:
  Result ReadText(std::string_view text, TimeUs record_time, PostgresLine* line);
  // What stands behind the time of a CSV row.
  Result ReadCsv(std::string_view columns, PostgresLine* line);
  Result ReadJson(std::string_view text, TimeUs record_time, PostgresLine* line);
  Result ReadRecord(const simdjson::dom::object& record, TimeUs record_time, PostgresLine* line);

  TextTime stamps_;
  bool in_csv_row_ = false;
  std::string unquoted_;
  std::vector<char> padded_;
  simdjson::dom::parser parser_;
};

// What follows `key` up to a blank or a comma, in a prefix ("db=shop,app=psql ") or a message
// ("host=192.0.2.7 port=5432"). Nothing for [unknown] and [local].
std::string_view PostgresValue(std::string_view text, std::string_view key);

}  // namespace tocsin

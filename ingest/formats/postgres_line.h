// Parses one line of a PostgreSQL log, in any of the formats in which such logs come.
//
//   PostgresReader reader(input);
//   PostgresLine line;
//   PostgresReader::Result result = reader.Read(text, record_time, &line);
//   if (result.kind == PostgresReader::Kind::kLine) …      // line.severity, line.message
//
// Formats: stderr with any log_line_prefix that has a time (%m, %t or %n), csvlog, jsonlog, syslog
// (RFC 3164, also with RFC 3339 timestamps), Heroku logplex, and the JSON of Google Cloud SQL and
// of CloudNativePG. In the prefix, user, database, application and client are recognized if they
// are named (user=, db=, app=, client=) or written as user@database and address(port).
//
// Continuation lines of a message (DETAIL, HINT, STATEMENT and the like, and the rest of a message
// with line feeds) are skipped. Every line is thus independent, and reading may start anywhere. The
// only state between lines is that a CSV row continues, which only decides whether a line is
// skipped or undecodable. Views are valid until the next call and as long as the text. Not
// thread-safe.
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
    std::string_view reason;  // static string; empty for kLine
  };

  // The reason for lines of other programs in a shared syslog.
  static constexpr std::string_view kOtherProgram = "a line of another program";

  explicit PostgresReader(const InputConfig& input) : timestamps_(input) {}

  // REQUIRES: text is not empty and at most limits::kEventBytesMax long.
  Result Read(std::string_view text, TimeUs record_time, PostgresLine* line);

 private:
  Result ReadText(std::string_view text, TimeUs record_time, PostgresLine* line);
  // `columns`: the CSV row after its time.
  Result ReadCsv(std::string_view columns, PostgresLine* line);
  Result ReadJson(std::string_view text, TimeUs record_time, PostgresLine* line);
  Result ReadRecord(const simdjson::dom::object& record, TimeUs record_time, PostgresLine* line);

  TextTime timestamps_;
  bool in_csv_row_ = false;
  std::string unquoted_;
  std::vector<char> padded_;
  simdjson::dom::parser parser_;
};

// The value after `key`, up to a space or comma, in a prefix ("db=shop,app=psql ") or a message
// ("host=192.0.2.7 port=5432"). `key` includes the equals sign. Empty for [unknown] and [local].
std::string_view PostgresValue(std::string_view text, std::string_view key);

}  // namespace tocsin

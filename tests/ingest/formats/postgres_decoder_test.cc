#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "core/limits.h"
#include "tests/ingest/line_text.h"
#include "tests/ingest/recording_sink.h"

namespace tocsin {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

InputConfig Postgres() {
  InputConfig input;
  input.format = "postgres";
  return input;
}

// `expected` is an event's text, "skipped: why", or "undecodable: why".
std::string Decoded(const InputConfig& input, std::string_view line, TimeUs record_time = kNoTime) {
  const RecordingSink sink = DecodeRecord(input, line, record_time);
  EXPECT_EQ(sink.events.size() + sink.skipped.size() + sink.undecodable.size(), 1U);
  if (!sink.events.empty()) return EventText(sink.events[0]);
  return sink.skipped.empty() ? "undecodable: " + sink.reasons.at(0)
                              : "skipped: " + sink.skipped[0];
}

struct LineCase {
  std::string_view line;
  std::string_view expected;
};

constexpr std::string_view kSkippedPart = "skipped: details of the previous message";
constexpr std::string_view kSkippedRest = "skipped: the rest of a message";

TEST(PostgresDecoder, PrefixesOfPlainLines) {
  const LineCase cases[] = {
      // The default, Debian's, pgBadger's, RDS's, and one of names in brackets.
      {"2026-01-01 12:00:00.123 UTC [17] LOG:  ready",
       "2026-01-01T12:00:00.123Z log dependency=postgres level=info message=ready"},
      {"2026-01-01 12:00:00.123 CET [17] ann@shop ERROR:  no",
       "2026-01-01T11:00:00.123Z log dependency=shop level=error message=no user=ann"},
      {"2026-01-01 12:00:00 CEST [17]: [3-1] user=ann,db=shop,app=psql,client=192.0.2.7 FATAL:  no",
       "2026-01-01T10:00:00Z log client_ip=192.0.2.7 dependency=shop level=fatal message=no "
       "user=ann user_agent=psql"},
      {"2026-01-01 12:00:00 UTC:192.0.2.7(54321):ann@shop:[17]:ERROR:  no",
       "2026-01-01T12:00:00Z log client_ip=192.0.2.7 dependency=shop level=error message=no "
       "user=ann"},
      {"2026-01-01 12:00:00 UTC:::1(54321):ann@shop:[17]:ERROR:  no",
       "2026-01-01T12:00:00Z log client_ip=::1 dependency=shop level=error message=no user=ann"},
      {"2026-01-01 12:00:00 UTC:[local]:ann@shop:[17]:WARNING:  no",
       "2026-01-01T12:00:00Z log dependency=shop level=warning message=no user=ann"},
      {"2026-01-01 12:00:00 UTC::@:[17]:LOG:  no",
       "2026-01-01T12:00:00Z log dependency=postgres level=info message=no"},
      {"2026-01-01 12:00:00 -03 [17] db=[unknown],user=[unknown] PANIC:  no",
       "2026-01-01T15:00:00Z log dependency=postgres level=panic message=no"},
      {"1767268800.250 [17] NOTICE:  no",
       "2026-01-01T12:00:00.250Z log dependency=postgres level=notice message=no"},
      {"2026-01-01 12:00:00.5 LOG:  a: LOG:  b",
       "2026-01-01T12:00:00.500Z log dependency=postgres level=info message=a: LOG:  b"},
      // Syslog with RFC 3339 timestamps, and logplex.
      {"2026-01-01T12:00:00.5+01:00 db-1 postgres[17]: [3-1] db=shop,user=ann LOG:  no",
       "2026-01-01T11:00:00.500Z log dependency=shop host=db-1 level=info message=no user=ann"},
      {"2026-01-01T12:00:00+00:00 app[postgres.17]: [GREEN] [3-1]  sql_error_code = 00000 LOG:  no",
       "2026-01-01T12:00:00Z log dependency=postgres level=info message=no"},
      {"2026-01-01T12:00:00+00:00 d.1 app[postgres.17] [AQUA] [3-1]  sql_error_code = 00000 LOG:  "
       "no",
       "2026-01-01T12:00:00Z log dependency=postgres host=d.1 level=info message=no"},
      {"<134>2026-01-01T12:00:00Z db-1 postgres: LOG:  no",
       "2026-01-01T12:00:00Z log dependency=postgres host=db-1 level=info message=no"},
      // Continuation lines.
      {"\tFROM a", kSkippedRest},
      {"2026-01-01 12:00:00 UTC [17] DETAIL:  of it", kSkippedPart},
      {"2026-01-01 12:00:00 UTC [17] STATEMENT:  SELECT 'ERROR:  x'", kSkippedPart},
      {"2026-01-01T12:00:00+00:00 app[postgres.17]: [GREEN] [3-2]  sql = 00000 DETAIL:  no",
       kSkippedRest},
      {"2026-01-01T12:00:00+00:00 db-1 postgres[17]: [3-2] #011FROM a", kSkippedRest},
      {"2026-01-01T12:00:00+00:00 db-1 systemd[1]: LOG:  no", "skipped: a line of another program"},
      // Rejected or skipped lines.
      {"nothing of the kind", "undecodable: neither a time nor a severity"},
      {"LOG:  no", "undecodable: no time"},
      {"2026-01-01 12:00:00 UTC [17] no severity", "undecodable: no severity"},
      {"2026-02-30 12:00:00 UTC [17] LOG:  no",
       "undecodable: timestamp is invalid or out of range"},
      {"2026-01-01 12:00:00 IST [17] LOG:  no",
       "undecodable: timestamp in an unknown time zone: set time_zone"},
      {"Jan  1 12:00:00 db-1 postgres[17]: [3-1] LOG:  no",
       "undecodable: timestamp without a year: set year"},
      {"2026-01-01 12:00:00 UTC [17] LOG:  \xFF", "undecodable: not valid UTF-8"},
  };
  for (const LineCase& test : cases) {
    SCOPED_TRACE(test.line);
    EXPECT_EQ(Decoded(Postgres(), test.line), test.expected);
  }
}

TEST(PostgresDecoder, WhatAMessageSays) {
  const LineCase cases[] = {
      {"LOG:  duration: 13.997 ms  statement: select d.datname", "query 13997us method=SELECT"},
      {"LOG:  duration: 0.5 ms", "query 500us"},
      {"LOG:  duration: 1200.000 ms  execute <unnamed>: INSERT INTO a",
       "query 1200ms method=INSERT"},
      {"LOG:  duration: 1.000 ms  parse <unnamed>: SELECT 1",
       "skipped: a step before the execution of a statement"},
      {"LOG:  duration: 1.000 ms  bind s/p: SELECT 1",
       "skipped: a step before the execution of a statement"},
      {"LOG:  duration: 1.000 ms  plan:", "skipped: a plan"},
      {"LOG:  duration: fast", "undecodable: duration is not a number of milliseconds"},
      {"LOG:  duration: 1e3 ms", "undecodable: duration is not a number of milliseconds"},
      {"LOG:  duration: -1 ms", "undecodable: a duration that is out of range"},
      {"LOG:  duration: nan ms", "undecodable: a duration that is out of range"},
      {"LOG:  statement: SELECT 'too many clients'", "skipped: a statement without its duration"},
      {"LOG:  execute s: SELECT 1", "skipped: a statement without its duration"},
      {"LOG:  connection received: host=192.0.2.9 port=5", "connection open client_ip=192.0.2.9"},
      {"LOG:  connection received: host=[local]", "connection open"},
      {"LOG:  connection authenticated: identity=\"x\" method=peer",
       "skipped: repeated by connection authorized"},
      {"LOG:  connection authorized: user=ann database=shop application_name=psql SSL enabled",
       "auth success dependency=shop user=ann user_agent=psql"},
      {"LOG:  replication connection authorized: user=rep", "auth success user=rep"},
      {"LOG:  disconnection: session time: 0:00:01.5 user=ann database=shop host=192.0.2.9 port=5",
       "connection close client_ip=192.0.2.9 dependency=shop user=ann"},
      {"FATAL:  password authentication failed for user \"ann\"",
       "auth failure level=fatal message=password authentication failed for user \"ann\" user=ann"},
      {"FATAL:  no pg_hba.conf entry for host \"192.0.2.9\", user \"ann\", database \"shop\"",
       "auth failure client_ip=192.0.2.9 dependency=shop level=fatal message=no pg_hba.conf entry "
       "for host \"192.0.2.9\", user \"ann\", database \"shop\" user=ann"},
      {"FATAL:  sorry, too many clients already",
       "log level=fatal message=sorry, too many clients already"},
      {"FATAL:  remaining connection slots are reserved for superusers",
       "log level=fatal message=remaining connection slots are reserved for superusers"},
      {"DEBUG2:  x", "log level=debug message=x"},
  };
  for (const LineCase& test : cases) {
    SCOPED_TRACE(test.line);
    std::string decoded =
        Decoded(Postgres(), "2026-01-01 12:00:00 UTC [17] " + std::string(test.line));
    for (const std::string_view part : {"2026-01-01T12:00:00Z ", " dependency=postgres"}) {
      const std::size_t at = decoded.find(part);
      if (at != decoded.npos) decoded.erase(at, part.size());
    }
    EXPECT_EQ(decoded, test.expected);
  }
}

TEST(PostgresDecoder, Csv) {
  const std::string begin =
      R"(2026-01-01 12:00:00.123 CET,"ann","shop",17,"192.0.2.7:54321",6a.11,3,"SELECT",)"
      R"(2026-01-01 11:00:00 CET,3/4,0,LOG,00000,)";
  const std::string event =
      "2026-01-01T11:00:00.123Z query 1200us client_ip=192.0.2.7 dependency=shop method=SELECT "
      "user=ann";
  EXPECT_EQ(
      Decoded(Postgres(), begin + R"("duration: 1.2 ms  statement: SELECT ""a""",,,,,,,,,"psql")"),
      event + " user_agent=psql");
  EXPECT_EQ(Decoded(Postgres(), begin + R"("a ""b"" c",,,,,,,,,"","client backend",,0)"),
            "2026-01-01T11:00:00.123Z log client_ip=192.0.2.7 dependency=shop level=info "
            "message=a \"b\" c user=ann");
  EXPECT_EQ(Decoded(Postgres(), "2026-01-01 12:00:00.123 UTC,,,17,,6a.11,3,,,,0,FATAL,53300,no"),
            "2026-01-01T12:00:00.123Z log dependency=postgres level=fatal message=no");
  EXPECT_EQ(Decoded(Postgres(), "2026-01-01 12:00:00.123 UTC,a,b"),
            "undecodable: not a PostgreSQL csvlog row");
  EXPECT_EQ(Decoded(Postgres(), "2026-01-01 12:00:00.123 UTC,,,17,,6a.11,3,,,,0,BAD,53300,no"),
            "undecodable: not a PostgreSQL csvlog row");

  // A statement over several lines, then another row, then a line that is not a row.
  const RecordingSink sink = DecodeRecord(
      Postgres(),
      begin + "\"duration: 1.2 ms  statement: SELECT a\nFROM b\n\nWHERE c\",,,,,,,,,\"psql\"\n" +
          begin + "\"next\",,,,,,,,,\"\"\nnothing");
  ASSERT_THAT(sink.events, SizeIs(2));
  EXPECT_EQ(EventText(sink.events[0]), event);
  EXPECT_EQ(sink.events[1].Get(Field::kMessage), "next");
  EXPECT_THAT(sink.skipped, ElementsAre("the rest of a message", "the rest of a message"));
  EXPECT_THAT(sink.undecodable, ElementsAre("nothing"));
}

TEST(PostgresDecoder, Json) {
  const LineCase cases[] = {
      {R"({"timestamp":"2026-01-01 12:00:00.123 UTC","user":"ann","dbname":"shop","pid":17,)"
       R"("remote_host":"192.0.2.7","remote_port":5,"error_severity":"LOG","application_name":"a b",)"
       R"("message":"duration: 1.5 ms  statement: SELECT \"x\""})",
       "2026-01-01T12:00:00.123Z query 1500us client_ip=192.0.2.7 dependency=shop method=SELECT "
       "user=ann user_agent=a b"},
      {R"({"level":"info","ts":1,"logger":"postgres","msg":"record","logging_pod":"db-1","record":)"
       R"({"log_time":"2026-01-01 12:00:00.123 UTC","user_name":"ann","database_name":"shop",)"
       R"("connection_from":"192.0.2.7:5","error_severity":"ERROR","message":"no"}})",
       "2026-01-01T12:00:00.123Z log client_ip=192.0.2.7 dependency=shop host=db-1 level=error "
       "message=no user=ann"},
      {R"({"level":"info","ts":1,"logger":"wal-archive","msg":"no"})",
       "skipped: a line of another program"},
      {R"({"resource":{"labels":{"database_id":"p:db"}},"textPayload":"[7]: [3-1] db=shop,user=ann )"
       R"(FATAL:  no","timestamp":"2026-01-01T12:00:00.123456789Z"})",
       "2026-01-01T12:00:00.123456Z log dependency=shop host=p:db level=fatal message=no user=ann"},
      {R"({"textPayload":"\tmore","timestamp":"2026-01-01T12:00:00Z"})", kSkippedRest},
      {R"({"textPayload":"x LOG:  y","timestamp":"then"})", "undecodable: invalid timestamp"},
      {R"({"error_severity":"LOG","message":"x","timestamp":"then"})",
       "undecodable: invalid timestamp"},
      {R"({"error_severity":"LOG","message":"x"})", "undecodable: no time"},
      {R"({"error_severity":"x","message":"x"})", "undecodable: unknown error_severity"},
      {R"({"error_severity":"LOG",)", "undecodable: not a JSON object"},
  };
  for (const LineCase& test : cases) {
    SCOPED_TRACE(test.line);
    EXPECT_EQ(Decoded(Postgres(), test.line), test.expected);
  }
  std::string deep = R"({"error_severity":"LOG","a":)";
  for (int i = 0; i < 40; ++i) deep += '[';
  for (int i = 0; i < 40; ++i) deep += ']';
  EXPECT_EQ(Decoded(Postgres(), deep + '}'), "undecodable: not a JSON object");
}

TEST(PostgresDecoder, TheRecordsTimeFillsIn) {
  const TimeUs new_year = *ParseTime("2026-01-01T00:00:10Z");
  EXPECT_EQ(Decoded(Postgres(), "LOG:  a", new_year),
            "2026-01-01T00:00:10Z log dependency=postgres level=info message=a");
  const std::string_view tag = " db-1 postgres[17]: [3-1] LOG:  a";
  const std::string_view end = "Z log dependency=postgres host=db-1 level=info message=a";
  EXPECT_EQ(Decoded(Postgres(), "Dec 31 23:59:59" + std::string(tag), new_year),
            "2025-12-31T23:59:59" + std::string(end));
  EXPECT_EQ(Decoded(Postgres(), "Jan  1 00:00:01" + std::string(tag), new_year - kMinuteUs),
            "2026-01-01T00:00:01" + std::string(end));
}

TEST(PostgresDecoder, YearAndZoneOfTheInput) {
  InputConfig input = Postgres();
  input.year = 2024;
  input.time_zone = 330 * kMinuteUs;
  EXPECT_EQ(Decoded(input, "Feb 29 05:30:00 db-1 postgres[17]: LOG:  a"),
            "2024-02-29T00:00:00Z log dependency=postgres host=db-1 level=info message=a");
  EXPECT_EQ(Decoded(input, "2026-01-01 05:30:00 IST [17] LOG:  a"),
            "2026-01-01T00:00:00Z log dependency=postgres level=info message=a");
  EXPECT_EQ(Decoded(input, "2026-01-01 05:30:00 LOG:  a"),
            "2026-01-01T00:00:00Z log dependency=postgres level=info message=a");
  // What is named counts.
  EXPECT_EQ(Decoded(input, "2026-01-01 00:00:00 UTC [17] LOG:  a"),
            "2026-01-01T00:00:00Z log dependency=postgres level=info message=a");
  input.year = 2025;
  EXPECT_EQ(Decoded(input, "Feb 29 05:30:00 db-1 postgres[17]: LOG:  a"),
            "undecodable: timestamp is invalid or out of range");
}

TEST(PostgresDecoder, ConstantsOfTheMapping) {
  InputConfig input = Postgres();
  input.map = {{"service", "", "shop", {}}, {"dependency", "", "orders-db", {}}};
  EXPECT_EQ(Decoded(input, "2026-01-01 12:00:00 UTC [17] a@b LOG:  x"),
            "2026-01-01T12:00:00Z log dependency=orders-db level=info message=x service=shop "
            "user=a");
}

TEST(PostgresDecoder, EveryCutOfALineIsTold) {
  const std::string_view lines[] = {
      "2026-01-01 12:00:00.123 CET [17] a@b LOG:  duration: 1.500 ms  statement: SELECT 1",
      R"(2026-01-01 12:00:00 UTC,"a","b",1,"c:1",d,1,"e",,f,0,LOG,00000,"x",,,,,,,,,"y",,,0)",
      R"({"timestamp":"2026-01-01 12:00:00 UTC","error_severity":"LOG","message":"x"})",
      "2026-01-01T12:00:00+00:00 app[postgres.17]: [GREEN] [3-1]  a = 0 LOG:  x",
  };
  for (const std::string_view line : lines) {
    for (std::size_t size = 1; size <= line.size(); ++size) {
      const RecordingSink sink = DecodeRecord(Postgres(), line.substr(0, size));
      EXPECT_EQ(sink.events.size() + sink.skipped.size() + sink.undecodable.size(), 1U)
          << line.substr(0, size);
    }
    EXPECT_THAT(DecodeRecord(Postgres(), line).events, SizeIs(1));
  }
}

}  // namespace
}  // namespace tocsin

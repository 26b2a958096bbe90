#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "tests/ingest/line_text.h"

namespace tocsin {
namespace {

using ::testing::SizeIs;

InputConfig Syslog() {
  InputConfig input;
  input.format = "syslog";
  input.year = 2026;
  return input;
}

struct LineCase {
  std::string_view line;
  std::string_view expected;
};

TEST(SyslogDecoder, Lines) {
  const LineCase cases[] = {
      // RFC 5424.
      {R"(<13>1 2026-01-01T12:00:00.119Z web-1 shop 2426 ID9 [a@1 iut="3" from= "App"] up: running)",
       "2026-01-01T12:00:00.119Z log app=shop host=web-1 level=notice message=up: running "
       "facility:user from:App iut:3 msgid:ID9"},
      {"<165>1 2026-01-01T12:00:00.000003-07:00 192.0.2.1 myproc 8710 - - %% It's time.",
       "2026-01-01T19:00:00.000003Z log app=myproc host=192.0.2.1 level=notice message=%% It's "
       "time. "
       "facility:local4"},
      {"<34>1 2026-01-01T12:00:00Z m su - ID47 - \xEF\xBB\xBF'su root' failed",
       "2026-01-01T12:00:00Z log app=su host=m level=critical message='su root' failed "
       "facility:auth "
       "msgid:ID47"},
      {R"(<0>1 2026-01-01T12:00:00Z - - - - [a x="1 \"2\" \\ \] \n"][b][c y="2" z="]"])",
       R"(2026-01-01T12:00:00Z log level=emergency facility:kern x:1 "2" \ ] \n y:2 z:])"},
      // RFC 3164, with and without a host and a process.
      {"<11>Jan  1 12:00:00 web-1 shop[17]: no: way",
       "2026-01-01T12:00:00Z log app=shop host=web-1 level=error message=no: way facility:user"},
      {"<191>Feb 28 12:00:00 shop: m",
       "2026-02-28T12:00:00Z log app=shop level=debug message=m facility:local7"},
      {"<14>Jan  1 12:00:00 web-1 last message repeated 2 times",
       "2026-01-01T12:00:00Z log host=web-1 level=info message=last message repeated 2 times "
       "facility:user"},
      // As files have them.
      {"Jan  1 12:00:00 web-1 kernel: [  1.5] Out of memory: Killed process 17",
       "2026-01-01T12:00:00Z log app=kernel host=web-1 message=[  1.5] Out of memory: Killed "
       "process 17"},
      {"2026-01-01T12:00:00.5+01:00 db-1 postgres[17]: [3-1] ERROR:  no",
       "2026-01-01T11:00:00.500Z log app=postgres host=db-1 message=[3-1] ERROR:  no"},
      {"Jan  1 12:00:00 web-1 systemd-logind[17]: x",
       "2026-01-01T12:00:00Z log app=systemd-logind host=web-1 message=x"},
      // Rejected or skipped lines.
      {"nothing of the kind", "undecodable: neither a syslog priority nor a syslog timestamp"},
      {"2026-01-01 12:00:00 web-1 shop: a",
       "undecodable: neither a syslog priority nor a syslog timestamp"},
      {"2026-01-01T12:00:00Z some text", "undecodable: no program"},
      {"<192>1 2026-01-01T12:00:00Z a b c d - e",
       "undecodable: neither a syslog priority nor a syslog timestamp"},
      {"<13>1 yesterday a b c d - e", "undecodable: no time"},
      {"<13>1 - a b c d - e", "undecodable: no time"},
      {"<13>1 2026-02-30T12:00:00Z a b c d - e",
       "undecodable: timestamp is invalid or out of range"},
      {"<13>hello", "undecodable: no time"},
      {"<13>1 2026-01-01T12:00:00Z a b c d", "undecodable: malformed structured data"},
      {"<13>1 2026-01-01T12:00:00Z a b c d [x y=\"1] e", "undecodable: malformed structured data"},
      {"<13>1 2026-01-01T12:00:00Z a b c d [x y] e", "undecodable: malformed structured data"},
      {"<13>1 2026-01-01T12:00:00Z a b c d [x y=\"1\"]e", "undecodable: malformed structured data"},
      {"<13>1 2026-01-01T12:00:00Z a b c d [x y=\"1\\", "undecodable: malformed structured data"},
      {"<13>1 2026-01-01T12:00:00Z a b c d - \xFF", "undecodable: not valid UTF-8"},
  };
  for (const LineCase& test : cases) {
    SCOPED_TRACE(test.line);
    EXPECT_EQ(DecodedText(Syslog(), test.line), test.expected);
  }
}

TEST(SyslogDecoder, TimesThatLeaveThingsOut) {
  InputConfig input;
  input.format = "syslog";
  const std::string_view line = "<13>Dec 31 23:59:59 a b: c";
  EXPECT_EQ(DecodedText(input, line), "undecodable: timestamp without a year: set year");
  EXPECT_EQ(DecodedText(input, line, *ParseTime("2026-01-01T00:00:05Z")),
            "2025-12-31T23:59:59Z log app=b host=a level=notice message=c facility:user");
  EXPECT_EQ(DecodedText(input, "<13>1 - a b c d - e", kSecondUs),
            "1970-01-01T00:00:01Z log app=b host=a level=notice message=e facility:user msgid:d");
  input.year = 2024;
  input.time_zone = 60 * kMinuteUs;
  EXPECT_EQ(DecodedText(input, "<13>Feb 29 12:00:00 a b: c"),
            "2024-02-29T11:00:00Z log app=b host=a level=notice message=c facility:user");
}

TEST(SyslogDecoder, TheMappingCounts) {
  InputConfig input = Syslog();
  input.map = {{"service", "", "shop", {}}, {"app", "", "x", {}}, {"labels.team", "", "web", {}}};
  EXPECT_EQ(DecodedText(input, "Jan  1 12:00:00 web-1 b: c"),
            "2026-01-01T12:00:00Z log app=x host=web-1 message=c service=shop team:web");
}

TEST(SyslogDecoder, EveryCutOfALineIsTold) {
  for (const std::string_view line :
       {R"(<13>1 2026-01-01T12:00:00.119Z web-1 shop 2426 ID9 [a@1 iut="3" b="\"c"] up)",
        "<11>Jan  1 12:00:00 web-1 shop[17]: no: way"}) {
    for (std::size_t size = 1; size <= line.size(); ++size) {
      const RecordingSink sink = DecodeRecord(Syslog(), line.substr(0, size));
      EXPECT_EQ(sink.events.size() + sink.undecodable.size(), 1U) << size;
    }
    EXPECT_THAT(DecodeRecord(Syslog(), line).events, SizeIs(1));
  }
}

}  // namespace
}  // namespace tocsin

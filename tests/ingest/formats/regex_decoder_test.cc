#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"
#include "tests/ingest/line_text.h"

namespace tocsin {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

InputConfig Regex(std::string pattern, std::vector<FieldMapping> map = {}) {
  InputConfig input;
  input.format = "regex";
  input.pattern = std::move(pattern);
  input.pattern_at = {.file = "a.yaml", .line = 3, .column = 14};
  input.map = std::move(map);
  return input;
}

struct LineCase {
  std::string pattern;
  std::string_view line;
  std::string_view expected;
};

TEST(RegexDecoder, Lines) {
  const std::string log =
      R"(^(?P<time>\S+ \S+) (?P<level>[A-Z]+) +\[(?P<app>[^\]]*)\] (?P<message>.*)$)";
  const LineCase cases[] = {
      {log, "2026-01-01 12:00:00,123 WARN  [main] pool is empty",
       "2026-01-01T12:00:00.123Z log app=main level=warn message=pool is empty"},
      {log, "2026/01/01 12:00:00 ERROR [] no", "2026-01-01T12:00:00Z log level=error message=no"},
      {R"((?P<time>\d+) (?P<method>[A-Z]+) (?P<endpoint>\S+) (?P<status>\d+)(?: (?P<duration_ms>\S+))?)",
       "x 1767268800 GET /a/42?b 503 1.5s y",
       "2026-01-01T12:00:00Z request 503 1500ms endpoint=/a/:id method=GET"},
      {R"((?P<time>\d+) (?P<method>[A-Z]+) (?P<endpoint>\S+) (?P<status>\d+)(?: (?P<duration_ms>\S+))?)",
       "1767268800 GET /a 200", "2026-01-01T12:00:00Z request 200 endpoint=/a method=GET"},
      {R"((?P<type>\w+) (?P<action>\w+) (?P<time>.*))", "connection open Jan  1 12:00:00",
       "2026-01-01T12:00:00Z connection open"},
      {R"((?P<timestamp>\S+) (?P<user>\pL+))", "2026-01-01T12:00:00Z J\u00FCrgen",
       "2026-01-01T12:00:00Z log user=J\u00FCrgen"},
      // Rejected or skipped lines.
      {log, "\tat a.b.C(D.java:1)", "skipped: the pattern does not match"},
      {log, "2026-02-30 12:00:00 WARN [main] x",
       "undecodable: time is neither an RFC 3339 time nor an epoch number"},
      {"(?P<time>\\d+) (?P<status>\\w+)", "1767268800 ok", "undecodable: status is not a number"},
      {"(?P<message>.*)", "x", "undecodable: no time"},
      {"(?P<message>.*)", "\xFF", "undecodable: not valid UTF-8"},
  };
  for (const LineCase& test : cases) {
    SCOPED_TRACE(test.line);
    InputConfig input = Regex(test.pattern);
    input.year = 2026;
    EXPECT_EQ(DecodedText(input, test.line), test.expected);
  }
}

TEST(RegexDecoder, TheMappingCounts) {
  EXPECT_EQ(DecodedText(Regex(R"((?P<when>\d+) (?P<lvl>\w+) (?P<tenant>\w+) (?P<message>.*))",
                              {{"time", "when", "", {}},
                               {"level", "lvl", "", {}},
                               {"labels.tenant", "tenant", "", {}},
                               {"type", "", "session", {}},
                               {"service", "", "shop", {}}}),
                        "1767268800 ERROR a m"),
            "2026-01-01T12:00:00Z session level=error message=m service=shop tenant:a");
  EXPECT_EQ(DecodedText(Regex("(?P<message>.*)"), "m", kSecondUs),
            "1970-01-01T00:00:01Z log message=m");
}

TEST(RegexDecoder, ALineStandsForItself) {
  const RecordingSink sink = DecodeRecord(Regex("^(?P<time>\\d+)(?: (?P<message>.+))?$"),
                                          "1767268800 a\n  more\r\n1767268801\r\n");
  ASSERT_THAT(sink.events, SizeIs(2));
  EXPECT_EQ(EventText(sink.events[0]), "2026-01-01T12:00:00Z log message=a");
  EXPECT_EQ(EventText(sink.events[1]), "2026-01-01T12:00:01Z log");
  EXPECT_THAT(sink.skipped, ElementsAre("the pattern does not match"));
}

std::string Error(const InputConfig& input) {
  ErrorList errors;
  EXPECT_EQ(NewDecoder(input, &errors), nullptr);
  return errors.empty() ? "" : errors.Sorted().front().ToString();
}

TEST(RegexDecoder, PatternsThatAreNone) {
  EXPECT_THAT(Error(Regex("(?P<time>")),
              HasSubstr("a.yaml:3:14: pattern is not a valid regular expression: "));
  EXPECT_THAT(
      Error(Regex("(?P<mesage>.*)")),
      HasSubstr("a.yaml:3:14: pattern: the group \"mesage\" is not an event field, and map: "
                "does not use it; did you mean \"message\"?"));
  EXPECT_THAT(Error(Regex("(?P<http>.*)")), HasSubstr("the group \"http\" is not an event field"));
  EXPECT_THAT(Error(Regex("(.*)")), HasSubstr("a.yaml:3:14: pattern has no named group"));
  EXPECT_THAT(Error(Regex("(?P<a>.*)", {{"time", "b", "", {}}})),
              HasSubstr("the pattern has no group \"b\""));
  EXPECT_THAT(Error(Regex("")), HasSubstr("format regex needs 'pattern'"));
  InputConfig other = Regex("(?P<message>.*)");
  other.format = "clf";
  EXPECT_THAT(Error(other), HasSubstr("a.yaml:3:14: input : pattern is for format regex"));
}

TEST(RegexDecoder, FromAConfiguration) {
  ErrorList errors;
  const std::optional<Config> config = LoadConfigText(
      "extends: \"@generic\"\ninputs:\n  - name: a\n    file: a.log\n    format: regex\n"
      "    pattern: '(?P<tiem>.*)'\n",
      "a.yaml", &errors);
  ASSERT_TRUE(config);
  EXPECT_THAT(Error(config->inputs[0]), HasSubstr("a.yaml:6:14: pattern: the group \"tiem\""));
}

}  // namespace
}  // namespace tocsin

// Which formats lack a time of their own, and that the record's timestamp then fills it in.

#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "ingest/decoder.h"
#include "tests/ingest/recording_sink.h"

namespace tocsin {
namespace {

constexpr TimeUs kMarch2026 = 1'772'400'000 * kSecondUs;

struct Row {
  std::string format;
  std::string pattern;  // of regex
  OwnTime own_time;
  std::string record;  // one that leaves its time, or its year, out
};

class OwnTimeTest : public testing::TestWithParam<Row> {};

TEST_P(OwnTimeTest, WhatIsLeftOutIsTheRecords) {
  InputConfig input;
  input.format = GetParam().format;
  input.pattern = GetParam().pattern;
  EXPECT_EQ(OwnTimeOf(input), GetParam().own_time);
  ErrorList errors;
  const std::unique_ptr<Decoder> decoder = NewDecoder(input, &errors);
  ASSERT_NE(decoder, nullptr);
  RecordingSink without;
  decoder->Decode(GetParam().record, kNoTime, &without);
  EXPECT_TRUE(without.events.empty());
  EXPECT_EQ(without.undecodable.size(), 1U);
  RecordingSink with;
  decoder->Decode(GetParam().record, kMarch2026, &with);
  EXPECT_EQ(with.events.size(), 1U);
  EXPECT_TRUE(with.undecodable.empty());
}

INSTANTIATE_TEST_SUITE_P(
    Formats, OwnTimeTest,
    testing::Values(
        Row{"prometheus-text", "", OwnTime::kMissing, "up 1\n"},
        Row{"influx", "", OwnTime::kMissing, "cpu,host=a idle=3"},
        Row{"grafana", "", OwnTime::kMissing, R"({"ruleName":"cpu","state":"alerting"})"},
        Row{"sentry", "", OwnTime::kMissing,
            R"({"action":"resolved","data":{"metric_alert":{"id":"1","title":"slow"}}})"},
        Row{"regex", "^(?P<level>[A-Z]+) (?P<message>.*)$", OwnTime::kMissing, "ERROR no disk"},
        Row{"regex", "^(?P<time>.{15}) (?P<message>.*)$", OwnTime::kYearless,
            "Mar  1 21:05:30 no disk"},
        Row{"syslog", "", OwnTime::kYearless, "Mar  1 21:05:30 db-1 sshd[1]: no"},
        Row{"postgres", "", OwnTime::kYearless,
            "Mar  1 21:05:30 db-1 postgres[7]: [3-1] FATAL:  no"},
        Row{"pgbouncer", "", OwnTime::kYearless, "Mar  1 21:05:30 [7] LOG closing because: x"}),
    [](const testing::TestParamInfo<Row>& row) {
      std::string name = row.param.format + std::to_string(row.index);
      std::erase(name, '-');
      return name;
    });

TEST(OwnTime, OthersSayWhenTheyWere) {
  for (const char* const format :
       {"json", "clf", "alb", "otlp-proto", "telegraf", "alertmanager"}) {
    InputConfig input;
    input.format = format;
    EXPECT_EQ(OwnTimeOf(input), OwnTime::kComplete) << format;
  }
}

}  // namespace
}  // namespace tocsin

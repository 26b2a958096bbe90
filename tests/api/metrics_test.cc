#include "api/metrics.h"

#include <map>
#include <set>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"

namespace tocsin {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

PipelineStatus Filled() {
  PipelineStatus status;
  SourceStatus logs;
  logs.input = "logs";
  logs.source = "logs/app/0";
  logs.counters = {.records = 1,
                   .bytes = 2,
                   .events = 3,
                   .late = 4,
                   .quarantined = 5,
                   .undecodable = 6,
                   .capped = 7};
  logs.clock = 1'772'399'100 * kSecondUs + 250 * kMillisecondUs;
  logs.paused = true;
  SourceStatus idle;
  idle.input = "metrics";
  idle.source = "metrics/app/1";
  status.sources = {logs, idle};
  status.decided = {
      .ticks = 8, .partial_ticks = 9, .signals_fired = 10, .incidents_opened = 11, .pages = 12};
  status.series = 13;
  status.series_over_limit = 14;
  status.times = {.detect = {.count = 28, .total = 29'500'000},
                  .page = {.count = 38, .total = 39'000'000},
                  .acknowledge = {.count = 30, .total = 31 * kSecondUs},
                  .resolve = {.count = 32, .total = 33 * kSecondUs}};
  status.open_incidents = 15;
  status.last_tick = 1'772'399'080 * kSecondUs;
  status.received = 27;
  status.queued_batches = 16;
  status.deliveries = {.submitted = 17,
                       .delivered = 18,
                       .retried = 19,
                       .parked = 20,
                       .abandoned = 21,
                       .withheld = 37};
  status.deliveries_pending = 22;
  status.snapshots = 23;
  status.kafka_errors = 24;
  status.skipped_records = 25;
  status.lag = 26'500 * kMillisecondUs;
  return status;
}

std::vector<std::string> Lines(const std::string& text) {
  return absl::StrSplit(text, '\n', absl::SkipEmpty());
}

// Samples without comments, by name and labels.
std::map<std::string, std::string> Samples(const std::string& text) {
  std::map<std::string, std::string> samples;
  for (const std::string& line : Lines(text)) {
    if (line[0] == '#') continue;
    const std::size_t space = line.rfind(' ');
    samples[line.substr(0, space)] = line.substr(space + 1);
  }
  return samples;
}

TEST(Metrics, EveryNumberHasItsName) {
  const std::string logs = R"({input="logs",source="logs/app/0"})";
  const std::string idle = R"({input="metrics",source="metrics/app/1"})";
  std::map<std::string, std::string> expected = {
      {"tocsin_source_clock_seconds" + logs, "1772399100.25"},
      {"tocsin_source_paused" + logs, "1"},
      {"tocsin_source_paused" + idle, "0"},
      {"tocsin_ticks_total", "8"},
      {"tocsin_partial_ticks_total", "9"},
      {"tocsin_signals_total", "10"},
      {"tocsin_incidents_total", "11"},
      {"tocsin_pages_total", "12"},
      {"tocsin_series", "13"},
      {"tocsin_series_over_limit_total", "14"},
      {"tocsin_open_incidents", "15"},
      {"tocsin_last_tick_seconds", "1772399080"},
      {"tocsin_records_received_total", "27"},
      {"tocsin_queue_batches", "16"},
      {"tocsin_deliveries_submitted_total", "17"},
      {"tocsin_deliveries_delivered_total", "18"},
      {"tocsin_deliveries_retried_total", "19"},
      {"tocsin_deliveries_parked_total", "20"},
      {"tocsin_deliveries_abandoned_total", "21"},
      {"tocsin_deliveries_withheld_total", "37"},
      {"tocsin_deliveries_pending", "22"},
      {"tocsin_snapshots_total", "23"},
      {"tocsin_kafka_errors_total", "24"},
      {"tocsin_skipped_records_total", "25"},
      {"tocsin_lag_seconds", "26.5"},
      {"tocsin_time_to_detect_seconds_count", "28"},
      {"tocsin_time_to_detect_seconds_sum", "29.5"},
      {"tocsin_time_to_page_seconds_count", "38"},
      {"tocsin_time_to_page_seconds_sum", "39"},
      {"tocsin_time_to_acknowledge_seconds_count", "30"},
      {"tocsin_time_to_acknowledge_seconds_sum", "31"},
      {"tocsin_time_to_resolve_seconds_count", "32"},
      {"tocsin_time_to_resolve_seconds_sum", "33"},
      {"tocsin_batch_log_bytes", "0"},
      {"tocsin_blind", "0"},
      {"tocsin_blind_total", "0"},
      {"tocsin_clock_deviation_seconds", "0"},
      {"tocsin_clock_steps_total", "0"},
      {"tocsin_excluded_sources", "0"},
      {"tocsin_gaps_total", "0"},
      {"tocsin_heartbeats_total", "0"},
      {"tocsin_journal_batch_bytes", "0"},
      {"tocsin_journal_line_bytes", "0"},
      {"tocsin_journal_lines_dropped_total", "0"},
      {"tocsin_output_lines_left_out_total", "0"},
      {"tocsin_state_writable", "1"},
      {"tocsin_unreadable_batches_total", "0"},
      {"tocsin_build_info{version=\"" TOCSIN_VERSION "\"}", "1"},
  };
  int value = 0;
  for (const char* name : {"tocsin_records_total", "tocsin_bytes_total", "tocsin_events_total",
                           "tocsin_late_events_total", "tocsin_quarantined_events_total",
                           "tocsin_undecodable_total", "tocsin_capped_total"}) {
    expected[name + logs] = std::to_string(++value);
    expected[name + idle] = "0";
  }
  const std::map<std::string, std::string> said = Samples(MetricsText(Filled()));
  for (const auto& [name, number] : said) {
    const auto found = expected.find(name);
    EXPECT_TRUE(found != expected.end() && found->second == number) << name << ' ' << number;
  }
  for (const auto& [name, number] : expected) EXPECT_TRUE(said.contains(name)) << name;
}

TEST(Metrics, EveryFamilyIsExplainedOnceAndCountersAreNamedSo) {
  std::set<std::string> explained;
  std::map<std::string, std::string> types;
  for (const std::string& line : Lines(MetricsText(Filled()))) {
    const std::vector<std::string> words = absl::StrSplit(line, absl::MaxSplits(' ', 3));
    if (words[0] != "#") {
      std::string name = line.substr(0, line.find_first_of("{ "));
      // A summary's two samples bear the name of their family and what they are.
      for (const std::string_view suffix : {"_sum", "_count"}) {
        if (name.ends_with(suffix)) name.resize(name.size() - suffix.size());
      }
      EXPECT_TRUE(types.contains(name)) << line;
      continue;
    }
    ASSERT_EQ(words.size(), 4u) << line;
    if (words[1] == "HELP") {
      EXPECT_TRUE(explained.insert(words[2]).second) << line;
      EXPECT_THAT(words[3], testing::EndsWith(".")) << line;
    } else {
      EXPECT_TRUE(explained.contains(words[2])) << line;
      EXPECT_EQ(words[3] == "counter", absl::EndsWith(words[2], "_total")) << line;
      types[words[2]] = words[3];
    }
    EXPECT_TRUE(absl::StartsWith(words[2], "tocsin_")) << line;
  }
  EXPECT_EQ(explained.size(), types.size());
}

TEST(Metrics, WhatIsNotKnownYetIsAbsent) {
  const std::string text = MetricsText({});
  EXPECT_THAT(text, Not(HasSubstr("tocsin_last_tick_seconds")));
  EXPECT_THAT(text, Not(HasSubstr("tocsin_source_clock_seconds")));
  EXPECT_THAT(text, Not(HasSubstr("tocsin_records_total")));
  EXPECT_EQ(Samples(text)["tocsin_ticks_total"], "0");
  EXPECT_EQ(Samples(MetricsText(Filled()))
                .count(R"(tocsin_source_clock_seconds{input="metrics",source="metrics/app/1"})"),
            0u);
}

TEST(Metrics, LabelsAreEscapedAndValidText) {
  PipelineStatus status;
  status.sources.resize(1);
  status.sources[0].input = "a\"b\\c";
  status.sources[0].source = "line\nfeed\xff";
  EXPECT_THAT(MetricsText(status), AllOf(HasSubstr(R"(input="a\"b\\c")"),
                                         HasSubstr("source=\"line feed\xEF\xBF\xBD\"")));
}

TEST(Metrics, LargeCountersKeepTheirDigits) {
  PipelineStatus status;
  status.decided.ticks = 123'456'789'012'345;
  EXPECT_DOUBLE_EQ(std::stod(Samples(MetricsText(status))["tocsin_ticks_total"]),
                   123'456'789'012'345.0);
}

}  // namespace
}  // namespace tocsin

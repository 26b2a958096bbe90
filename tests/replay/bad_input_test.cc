// A recording with everything that a source should not say, through the whole engine: each bad line
// is counted as what it is and costs no other, nobody is paged because of it, and the outage that
// follows is found at once.
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "config/config.h"
#include "replay/replayer.h"

namespace tocsin {
namespace {

constexpr TimeUs kStart = 1'772'409'600 * kSecondUs;
constexpr std::int64_t kHour = 3600;  // all of it in seconds

constexpr const char* kYaml = R"(
inputs:
  - {name: app, file: app.jsonl}
limits: {series_max: 40}
detectors:
  - {name: errors, kind: error_rate, by: [service, endpoint], critical: {above: 50%, window: 1m}}
  - {name: pool, kind: saturation, by: [service], critical: {above: 95%}}
  - {name: memory, kind: leak, by: [service], max: 100, warn: {left: 6h}, critical: {left: 30m}}
  - {name: gone, kind: absence, where: {type: request, endpoint: /orders}, by: [service],
     critical: {}}
)";

class Recording {
 public:
  Recording()
      : path_((std::filesystem::temp_directory_path() /
               absl::StrCat("tocsin-bad-input-", getpid(), ".jsonl"))
                  .string()),
        out_(path_) {}
  ~Recording() { std::filesystem::remove(path_); }
  Recording(const Recording&) = delete;
  Recording& operator=(const Recording&) = delete;

  void Line(std::string_view text) { out_ << text << '\n'; }
  void Request(std::int64_t second, std::string_view endpoint, int status) {
    Line(absl::StrCat(Head(second, "request"), R"(,"endpoint":")", std::string(endpoint),
                      R"(","status":)", status, "}"));
  }
  void Gauge(std::int64_t second, std::string_view value, std::string_view limit = "100") {
    Line(absl::StrCat(Head(second, "metric"), R"(,"name":"pool","value":)", std::string(value),
                      R"(,"limit":)", std::string(limit), "}"));
  }
  // Two requests a second, of which half fail, and a sample of a pool every ten.
  void Traffic(std::int64_t from, std::int64_t to, bool failing) {
    for (std::int64_t second = from; second < to; ++second) {
      Request(second, "/orders", 200);
      Request(second, "/orders", failing ? 503 : 200);
      if (second % 10 == 0) Gauge(second, absl::StrCat(50 + second / 10 % 7));
    }
  }
  const std::string& Close() {
    out_.close();
    return path_;
  }

 private:
  static std::string Head(std::int64_t second, std::string_view type) {
    return absl::StrCat(R"({"time":")", FormatTime(kStart + second * kSecondUs), R"(","type":")",
                        std::string(type), R"(","service":"shop")");
  }
  std::string path_;
  std::ofstream out_;
};

TEST(BadInput, IsCountedAndNeitherPagesNorHides) {
  Recording recording;
  recording.Traffic(0, kHour, false);
  std::int64_t at = kHour;
  const std::vector<std::string> undecodable = {"NaN",  "Infinity", "-Infinity", "1e400",
                                                "1e19", "-1e19",    "\"full\"",  "[1]"};
  for (const std::string& value : undecodable) recording.Gauge(at, value);
  recording.Gauge(at, "50", "1e300");
  recording.Line("{\"type\":\"request\",\"service\":\"\xff\"}");
  recording.Line("{\"type\":\"request\",\"service\":\"shop\"");
  // Numbers that can be read and cannot be: a minute of each, among good ones of the same pane.
  for (const char* value : {"-50", "1152921504606846976", "-1152921504606846976", "1e-300", "0"}) {
    for (std::int64_t end = at + 60; at < end; at += 10) {
      recording.Traffic(at, at + 10, false);
      recording.Gauge(at + 9, value);
    }
  }
  for (const char* limit : {"0", "-100", "1152921504606846976", "1e-300", "null"}) {
    for (std::int64_t end = at + 60; at < end; at += 10) {
      recording.Traffic(at, at + 10, false);
      recording.Gauge(at + 9, "50", limit);
    }
  }
  // A clock a day ahead, and one a day behind.
  recording.Request(at + 24 * kHour, "/orders", 500);
  recording.Request(at + 24 * kHour, "/orders", 500);
  recording.Traffic(at, at + 60, false);
  recording.Request(at - 24 * kHour, "/orders", 500);
  at += 60;
  // A label of which every value is new.
  for (int i = 0; i < 3'000; ++i) {
    if (i % 25 == 0) recording.Traffic(at + i / 25, at + i / 25 + 1, false);
    // Letters, for digits become a place for an id.
    const std::string word = {static_cast<char>('a' + i / 676 % 26),
                              static_cast<char>('a' + i / 26 % 26),
                              static_cast<char>('a' + i % 26)};
    recording.Request(at + i / 25, "/x" + word, i % 2 == 0 ? 200 : 404);
  }
  at += 120;
  // Nothing for six hours, then a quarter of an hour as ever, then the outage.
  const std::int64_t silent = at;
  at += 6 * kHour;
  recording.Traffic(at, at + 900, false);
  at += 900;
  recording.Traffic(at, at + 600, true);

  ErrorList errors;
  const std::optional<Config> config = LoadConfigText(kYaml, "test.yaml", &errors);
  for (const ConfigError& error : errors.Sorted()) ADD_FAILURE() << error.ToString();
  ASSERT_TRUE(config.has_value());
  std::map<Hash128, Incident> incidents;
  ReplayOptions options;
  options.config = &*config;
  options.inputs = {recording.Close()};
  options.on_decision = [&](const Decision& decision) {
    for (const Incident& incident : decision.incidents) incidents[incident.id] = incident;
  };
  const absl::StatusOr<ReplayStats> stats = Replay(options);
  ASSERT_TRUE(stats.ok()) << stats.status();
  EXPECT_EQ(stats->undecodable, static_cast<std::int64_t>(undecodable.size()) + 3);
  EXPECT_EQ(stats->quarantined, 2);
  EXPECT_EQ(stats->late, 1);
  // Four detectors; one of them with 40 endpoints and (other).
  EXPECT_LE(stats->series, 40 + 1 + 3);
  for (const auto& [id, incident] : incidents) {
    for (const Signal& signal : incident.signals) {
      for (const Evidence& evidence : signal.evidence) {
        EXPECT_TRUE(evidence.kind == "panes" || evidence.json != "null") << evidence.name;
      }
    }
  }
  ASSERT_EQ(incidents.size(), 3u) << "the label that explodes, the silence, and the outage";
  const auto first_of = [&](std::string_view kind) {
    return std::find_if(incidents.begin(), incidents.end(), [&](const auto& incident) {
      return incident.second.signals.front().kind == kind;
    });
  };
  const auto gone = first_of("absence");
  ASSERT_NE(gone, incidents.end());
  EXPECT_LE(gone->second.signals.front().began.latest, kStart + (silent + 60) * kSecondUs);
  EXPECT_GE(gone->second.detected_at, kStart + (silent + kHour / 2) * kSecondUs)
      << "while nothing at all arrives the pipeline is doubted";
  EXPECT_LE(gone->second.detected_at, kStart + (silent + kHour / 2 + 60) * kSecondUs);
  EXPECT_EQ(gone->second.state, IncidentState::kResolved);
  incidents.erase(gone);
  const auto self = first_of("self");
  ASSERT_NE(self, incidents.end());
  EXPECT_EQ(self->second.component, "tocsin");
  EXPECT_EQ(self->second.title, "tocsin: past 40 series, new ones of errors count as (other)");
  EXPECT_EQ(self->second.pages, 0);
  EXPECT_EQ(self->second.state, IncidentState::kResolved);
  EXPECT_THAT(self->second.signals, ::testing::SizeIs(1));
  EXPECT_FALSE(self->second.advice.empty());
  incidents.erase(self);
  const Incident& outage = incidents.begin()->second;
  ASSERT_FALSE(outage.signals.empty());
  EXPECT_EQ(outage.signals.front().detector, "errors");
  EXPECT_EQ(LabelValue(outage.signals.front().series, "endpoint"), "/orders");
  EXPECT_GE(outage.onset, kStart + at * kSecondUs);
  EXPECT_LE(outage.detected_at, kStart + (at + 90) * kSecondUs);
}

}  // namespace
}  // namespace tocsin

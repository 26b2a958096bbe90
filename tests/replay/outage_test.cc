// What is one outage and what are several, from events to incidents.
#include <unistd.h>

#include <algorithm>
#include <array>
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

using ::testing::HasSubstr;
using ::testing::SizeIs;

constexpr TimeUs kStart = 1'772'409'600 * kSecondUs;
constexpr std::int64_t kMinute = 60, kHour = 3600;  // in seconds

constexpr const char* kYaml = R"(
inputs:
  - {name: app, file: app.jsonl}
detectors:
  - name: errors
    kind: error_rate
    where: {type: request}
    by: [service]
    warn: {above: 5%, window: 5m, for: 5m, level: 2}
    critical: {above: 50%, window: 1m, level: 2}
  - {name: database, kind: error_rate, where: {type: query}, by: [dependency],
     critical: {above: 50%, window: 1m, level: 2}}
  - {name: lines, kind: burst, pattern: exhausted, by: [service],
     critical: {count: 10, window: 5m, level: 2}}
  - {name: pool, kind: saturation, where: {type: metric, name: pool}, by: [dependency],
     critical: {above: 95%, level: 2}}
)";

// In order of time.
class Recording {
 public:
  void Request(std::int64_t second, const char* service, bool failed) {
    Add(second,
        absl::StrCat(R"("request","service":")", service, R"(","status":)", failed ? 503 : 200));
  }
  void Query(std::int64_t second, const char* service, const char* dependency, bool failed) {
    Add(second, absl::StrCat(R"("query","service":")", service, R"(","dependency":")", dependency,
                             R"(","outcome":")", failed ? "failure" : "success", R"(")"));
  }
  void Log(std::int64_t second, const char* service) {
    Add(second, absl::StrCat(R"("log","service":")", service, R"(","message":"pool exhausted")"));
  }
  void Gauge(std::int64_t second, const char* dependency, int value) {
    Add(second, absl::StrCat(R"("metric","name":"pool","dependency":")", dependency,
                             R"(","limit":100,"value":)", value));
  }
  // Of five requests a second so many fail from `begin` to `end`.
  void Service(const char* service, std::int64_t length, std::int64_t begin, std::int64_t end,
               int failing) {
    for (std::int64_t second = 0; second < length; ++second) {
      for (int i = 0; i < 5; ++i) {
        Request(second, service, second >= begin && second < end && i < failing);
      }
    }
  }

  struct Result {
    std::vector<Incident> incidents;  // their last lines, in opening order; without absorbed ones
    std::int64_t pages = 0;
  };
  Result Replayed(const std::string& more_yaml = "") const {
    ErrorList errors;
    const std::optional<Config> config =
        LoadConfigText(absl::StrCat(kYaml, more_yaml), "test.yaml", &errors);
    for (const ConfigError& error : errors.Sorted()) ADD_FAILURE() << error.ToString();
    const std::string path = (std::filesystem::temp_directory_path() /
                              absl::StrCat("tocsin-outage-", getpid(), ".jsonl"))
                                 .string();
    std::ofstream out(path);
    for (const auto& [second, text] : lines_) out << text << '\n';
    out.close();
    std::map<Hash128, Incident> last;
    std::vector<Hash128> order;
    ReplayOptions options;
    options.config = &*config;
    options.inputs = {path};
    options.threads = 1;
    options.on_decision = [&](const Decision& decision) {
      for (const Incident& incident : decision.incidents) {
        if (!last.contains(incident.id)) order.push_back(incident.id);
        last[incident.id] = incident;
      }
    };
    EXPECT_TRUE(Replay(options).ok());
    std::filesystem::remove(path);
    Result result;
    for (const Hash128& id : order) {
      result.pages += last[id].pages;
      if (last[id].merged_into.empty()) result.incidents.push_back(last[id]);
    }
    return result;
  }

 private:
  void Add(std::int64_t second, const std::string& rest) {
    lines_.emplace(second, absl::StrCat(R"({"time":")", FormatTime(kStart + second * kSecondUs),
                                        R"(","type":)", rest, "}"));
  }

  std::multimap<std::int64_t, std::string> lines_;
};

constexpr std::int64_t kFault = 45 * kMinute, kLength = 65 * kMinute;

TEST(Outage, OfTwoServicesWithNothingInCommonIsOneIncidentAndOnePage) {
  Recording recording;
  recording.Service("web", kLength, kFault, kFault + 10 * kMinute, 5);
  // Noticed five minutes later, because fewer fail.
  recording.Service("jobs", kLength, kFault + 20, kFault + 10 * kMinute, 1);
  const Recording::Result result = recording.Replayed();
  ASSERT_THAT(result.incidents, SizeIs(1));
  EXPECT_EQ(result.pages, 1);
  EXPECT_THAT(result.incidents[0].ToJson(), HasSubstr("jobs began within 45s of web"));
  EXPECT_THAT(recording.Replayed("correlate: {coincidence: 0s}").incidents, SizeIs(2));
  EXPECT_THAT(recording.Replayed("topology: {web: [web-db], jobs: [jobs-db]}").incidents,
              SizeIs(2));
  EXPECT_THAT(recording.Replayed("topology: {web: [db], jobs: [db]}").incidents, SizeIs(1));
}

TEST(Outage, FaultsMinutesApartAreTwo) {
  Recording recording;
  recording.Service("web", kLength, kFault, kFault + 10 * kMinute, 5);
  recording.Service("jobs", kLength, kFault + 3 * kMinute, kFault + 10 * kMinute, 5);
  const Recording::Result result = recording.Replayed();
  EXPECT_THAT(result.incidents, SizeIs(2));
  EXPECT_EQ(result.pages, 2);
}

TEST(Outage, OfTwoServicesThatWereSeenToShareNothingIsTwoIncidents) {
  for (const bool shared : {false, true}) {
    Recording recording;
    recording.Service("web", kLength, kFault, kFault + 10 * kMinute, 5);
    recording.Service("jobs", kLength, kFault, kFault + 10 * kMinute, 5);
    for (std::int64_t second = 0; second < kLength; second += 10) {
      recording.Query(second, "web", "web-db", false);
      recording.Query(second, "jobs", shared ? "web-db" : "jobs-db", false);
    }
    EXPECT_THAT(recording.Replayed().incidents, SizeIs(shared ? 1 : 2));
  }
}

// After the burst the pool is full for half an hour each.
constexpr std::array<std::int64_t, 3> kHours = {7, 20, 44};

TEST(Outage, ThreeSaturationsAfterABurstThatNeverClearsAreThreeIncidentsAndPages) {
  Recording recording;
  for (int i = 0; i < 20; ++i) recording.Log(kHour + i, "api");
  for (std::int64_t second = kHour; second < 50 * kHour; second += 3 * kMinute) {
    recording.Log(second, "api");
  }
  for (std::int64_t second = 0; second < 50 * kHour; second += kMinute) {
    const std::int64_t since = second - kHour;
    const bool full = std::any_of(kHours.begin(), kHours.end(), [&](std::int64_t hour) {
      return since >= hour * kHour && since < hour * kHour + kHour / 2;
    });
    recording.Gauge(second, "db", full ? 99 : 50);
  }
  const Recording::Result result = recording.Replayed("topology: {api: [db]}");
  ASSERT_THAT(result.incidents, SizeIs(4));
  EXPECT_EQ(result.pages, 4);
  for (std::size_t i = 1; i < 4; ++i) {
    EXPECT_THAT(result.incidents[i].signals, SizeIs(1));
    EXPECT_EQ(result.incidents[i].state, IncidentState::kResolved);
  }
}

TEST(Outage, OfADatabaseThatFurtherServicesNeedHoursLaterIsOneIncidentAndPage) {
  Recording recording;
  const std::int64_t end = kFault + 6 * kHour;
  for (std::int64_t second = 0; second < end + kHour / 2; second += 2) {
    const bool down = second >= kFault && second < end;
    recording.Query(second, "api", "db", down);
    recording.Request(second, "api", down);
    recording.Request(second, "jobs", down && second >= kFault + 2 * kHour);
    recording.Request(second, "mail", down && second >= kFault + 5 * kHour);
  }
  const Recording::Result result = recording.Replayed("topology: {jobs: [db], mail: [db]}");
  ASSERT_THAT(result.incidents, SizeIs(1));
  EXPECT_THAT(result.incidents[0].signals, SizeIs(4));
  EXPECT_EQ(result.pages, 1);
}

}  // namespace
}  // namespace tocsin

#include "engine/series_limit_alarm.h"

#include <set>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tocsin {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;
using Over = std::set<std::pair<std::string, std::string>>;

// "fired prod 100 a,b" for what a step says.
std::vector<std::string> StepOf(SeriesLimitAlarm* alarm, std::int64_t second, Over over,
                                bool partial = false) {
  std::vector<TitledChange> changes;
  alarm->Step({.tick = second * kSecondUs, .partial = partial, .over = std::move(over)}, &changes);
  std::vector<std::string> texts;
  for (const TitledChange& change : changes) {
    const Signal& signal = change.change.signal;
    const bool fired = change.change.kind == SignalChangeKind::kFired;
    EXPECT_EQ(signal.firing(), fired);
    texts.push_back(
        (fired ? "fired " : "cleared ") + std::string(LabelValue(signal.series, "env")) + ' ' +
        std::to_string(signal.fired_at / kSecondUs) + ' ' + signal.evidence.front().json);
  }
  return texts;
}

class SeriesLimitAlarmTest : public ::testing::Test {
 protected:
  static Config NewConfig() {
    Config config;
    config.scope = {*FieldRef::Parse("env")};
    config.limits.series_max = 7;
    return config;
  }
  static std::string Key(std::string_view env) {
    std::string key;
    AppendKeyPart(env, &key);
    return key;
  }
  const Config config_ = NewConfig();
};

TEST_F(SeriesLimitAlarmTest, IsOneSignalAScope) {
  SeriesLimitAlarm alarm(&config_);
  EXPECT_THAT(StepOf(&alarm, 10, {}), IsEmpty());
  EXPECT_THAT(StepOf(&alarm, 20, {{Key("prod"), "b"}, {Key("prod"), "a"}}),
              ElementsAre(R"(fired prod 20 ["a","b"])"));
  EXPECT_THAT(StepOf(&alarm, 30, {{Key("prod"), "c"}}), IsEmpty());
  EXPECT_THAT(StepOf(&alarm, 40, {{Key("test"), "a"}, {Key("prod"), "a"}}),
              ElementsAre(R"(fired test 40 ["a"])"));
}

TEST_F(SeriesLimitAlarmTest, ClearsHalfAnHourAfterTheLast) {
  SeriesLimitAlarm alarm(&config_);
  StepOf(&alarm, 0, {{Key("prod"), "a"}});
  StepOf(&alarm, 1'000, {{Key("prod"), "a"}});
  EXPECT_THAT(StepOf(&alarm, 2'790, {}), IsEmpty());
  EXPECT_THAT(StepOf(&alarm, 2'800, {}, /*partial=*/true), IsEmpty());
  EXPECT_THAT(StepOf(&alarm, 2'810, {}), ElementsAre(R"(cleared prod 0 ["a"])"));
  EXPECT_THAT(StepOf(&alarm, 2'820, {}), IsEmpty());
  EXPECT_THAT(StepOf(&alarm, 2'830, {{Key("prod"), "a"}}), ElementsAre(R"(fired prod 2830 ["a"])"));
}

TEST_F(SeriesLimitAlarmTest, SaysWhichLimitItIs) {
  SeriesLimitAlarm alarm(&config_);
  std::vector<TitledChange> changes;
  alarm.Step({.tick = 0,
              .over = {{Key("prod"), "a"}, {Key("test"), "a"}, {Key("(other)"), "a"}},
              .crowded = {Key("test")}},
             &changes);
  std::vector<std::string> titles;
  for (const TitledChange& change : changes) titles.push_back(change.title);
  EXPECT_THAT(titles,
              UnorderedElementsAre(
                  "past 7 series, new ones of a count as (other)",
                  "past 1000000 series of all scopes together, new ones of a count as (other)",
                  "past 1000 values of env, new ones count as (other)"));
}

TEST_F(SeriesLimitAlarmTest, OutlivesARestart) {
  SeriesLimitAlarm before(&config_), after(&config_);
  StepOf(&before, 100, {{Key("prod"), "a"}, {Key("test"), "b"}});
  ByteWriter out;
  before.Encode(&out);
  ByteReader in(out.view());
  after.Decode(&in);
  ASSERT_TRUE(in.Done());
  EXPECT_THAT(StepOf(&after, 110, {{Key("prod"), "a"}}), IsEmpty());
  EXPECT_THAT(StepOf(&after, 1'900, {}), ElementsAre(R"(cleared test 100 ["b"])"));
}

}  // namespace
}  // namespace tocsin

#include "config/hours.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/config/errors.h"

namespace tocsin {
namespace {

using ::testing::ElementsAre;

std::map<std::string, WeekHours> Read(const std::string& yaml, ErrorList* errors) {
  return ReadHours(ParseYaml(yaml, "t.yaml", errors), errors);
}

WeekHours Office(const std::string& yaml) {
  ErrorList errors;
  const std::map<std::string, WeekHours> hours = Read("{office: " + yaml + "}", &errors);
  EXPECT_TRUE(errors.empty()) << errors.Sorted()[0].ToString();
  return hours.at("office");
}

bool Contains(const WeekHours& hours, const std::string& time) {
  return hours.Contains(*ParseRfc3339(time));
}

// 2026-11-23 is a Monday.
TEST(WeekHours, AreWorkdaysUnlessTheySayOtherwise) {
  const WeekHours office = Office("{from: \"09:00\", to: \"17:30\"}");
  EXPECT_FALSE(Contains(office, "2026-11-23T08:59:59Z"));
  EXPECT_TRUE(Contains(office, "2026-11-23T09:00:00Z"));
  EXPECT_TRUE(Contains(office, "2026-11-27T17:29:59Z"));
  EXPECT_FALSE(Contains(office, "2026-11-27T17:30:00Z"));
  EXPECT_FALSE(Contains(office, "2026-11-28T12:00:00Z"));
  EXPECT_FALSE(Contains(office, "2026-11-29T12:00:00Z"));
  const WeekHours weekend = Office("{days: [sat, sun]}");
  EXPECT_FALSE(Contains(weekend, "2026-11-27T23:59:59Z"));
  EXPECT_TRUE(Contains(weekend, "2026-11-28T00:00:00Z"));
  EXPECT_TRUE(Contains(weekend, "2026-11-29T23:59:59Z"));
  EXPECT_FALSE(Contains(weekend, "2026-11-30T00:00:00Z"));
}

TEST(WeekHours, FollowTheZoneThroughSummerTime) {
  const WeekHours office = Office("{from: \"09:00\", to: \"17:00\", time_zone: Europe/Berlin}");
  EXPECT_TRUE(Contains(office, "2026-03-27T08:00:00Z"));  // Friday, UTC+1
  EXPECT_FALSE(Contains(office, "2026-03-27T07:59:59Z"));
  EXPECT_TRUE(Contains(office, "2026-03-30T07:00:00Z"));  // Monday, UTC+2
  EXPECT_FALSE(Contains(office, "2026-03-30T15:00:00Z"));
}

TEST(WeekHours, PastMidnightBelongToTheDayOnWhichTheyBegin) {
  const WeekHours night =
      Office("{days: [fri], from: \"22:00\", to: \"06:00\", except: [\"2026-12-25\"]}");
  EXPECT_FALSE(Contains(night, "2026-11-27T05:00:00Z"));  // Thursday's
  EXPECT_TRUE(Contains(night, "2026-11-27T22:00:00Z"));
  EXPECT_TRUE(Contains(night, "2026-11-28T05:59:59Z"));
  EXPECT_FALSE(Contains(night, "2026-11-28T06:00:00Z"));
  EXPECT_FALSE(Contains(night, "2026-11-28T22:00:00Z"));
  EXPECT_FALSE(Contains(night, "2026-12-25T23:00:00Z"));
  EXPECT_FALSE(Contains(night, "2026-12-26T01:00:00Z"));
}

TEST(WeekHours, AreSaidInWords) {
  EXPECT_EQ(Office("{days: [mon, sun], from: \"07:05\", to: \"24:00\", time_zone: Asia/Tokyo, "
                   "except: [\"2026-01-01\", \"2026-12-31\"]}")
                .ToString(),
            "mon, sun 07:05-24:00 Asia/Tokyo, not on 2026-01-01, 2026-12-31");
  EXPECT_EQ(Office("{}").ToString(), "mon, tue, wed, thu, fri 00:00-24:00 UTC");
}

TEST(WeekHours, SaysWhatIsWrong) {
  ErrorList errors;
  Read(
      "a: {days: [mon, Fr]}\n"
      "b: {from: 9}\n"
      "c: {to: \"24:01\"}\n"
      "d: {from: \"-1:00\"}\n"
      "e: {time_zone: Europe/Berln}\n"
      "f: {except: [25.12.]}\n"
      "g: 5\n"
      "h: {day: mon}\n",
      &errors);
  EXPECT_THAT(
      Lines(errors),
      ElementsAre(
          "t.yaml:1:17: days has 'Fr': expected some of mon, tue, wed, thu, fri, sat, sun",
          "t.yaml:2:11: from is '9': expected a time of day such as \"09:00\"",
          "t.yaml:3:9: to is '24:01': expected a time of day such as \"09:00\"",
          "t.yaml:4:11: from is '-1:00': expected a time of day such as \"09:00\"",
          "t.yaml:5:16: time_zone is 'Europe/Berln': expected a name that this machine's time zone "
          "database (package tzdata) has, such as Europe/Berlin",
          "t.yaml:6:14: except has '25.12.': expected a day such as \"2026-12-25\"",
          "t.yaml:7:4: hours g is '5': expected a map of keys",
          "t.yaml:8:5: unknown key 'day' in hours h: did you mean 'days'?"));
}

}  // namespace
}  // namespace tocsin

#include "core/time.h"

#include <cmath>
#include <limits>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tocsin {
namespace {

using ::testing::Eq;
using ::testing::Optional;

constexpr TimeUs kMarch = 1'772'399'100 * kSecondUs;  // 2026-03-01T21:05:00Z

TEST(FloorTo, RoundsTowardsMinusInfinity) {
  EXPECT_EQ(FloorTo(25, 10), 20);
  EXPECT_EQ(FloorTo(20, 10), 20);
  EXPECT_EQ(FloorTo(-1, 10), -10);
  EXPECT_EQ(FloorTo(-10, 10), -10);
  EXPECT_EQ(CeilTo(21, 10), 30);
  EXPECT_EQ(CeilTo(20, 10), 20);
  EXPECT_EQ(CeilTo(-9, 10), 0);
}

TEST(ParseRfc3339, AcceptsEveryDocumentedForm) {
  const struct {
    const char* text;
    TimeUs expected;
  } cases[] = {
      {"1970-01-01T00:00:00Z", 0},
      {"2026-03-01T21:05:00Z", kMarch},
      {"2026-03-01t21:05:00z", kMarch},
      {"2026-03-01 21:05:00", kMarch},
      {"2026-03-01T21:05:00.5Z", kMarch + 500'000},
      {"2026-03-01T21:05:00.000001", kMarch + 1},
      {"2026-03-01T21:05:00.1234569Z", kMarch + 123'456},
      {"2026-03-01T21:05:00.999999999999999999999Z", kMarch + 999'999},
      {"2026-03-01T22:35:00+01:30", kMarch},
      {"2026-03-01T22:35:00+0130", kMarch},
      {"2026-03-01T22:05:00+01", kMarch},
      {"2026-03-01T15:05:00.25-06:00", kMarch + 250'000},
      {"2026-03-01T21:05:00-00:00", kMarch},
      {"1969-12-31T23:00:00-01:00", 0},
      {"2024-02-29T00:00:00Z", 1'709'164'800 * kSecondUs},
      {"2000-02-29T00:00:00Z", 951'782'400 * kSecondUs},
      {"2016-12-31T23:59:60Z", 1'483'228'800 * kSecondUs},
      {"2017-01-01T00:59:60.5+01:00", 1'483'228'800 * kSecondUs + 500'000},
      {"2200-01-01T00:00:00Z", kMaxTime},
  };
  for (const auto& [text, expected] : cases) {
    EXPECT_THAT(ParseRfc3339(text), Optional(Eq(expected))) << text;
  }
}

TEST(ParseRfc3339, RejectsWhatIsMalformedOrOutOfRange) {
  for (const char* text : {
           "",
           "2026",
           "2026-03-01",
           "2026-03-01T21:05",
           "2026-03-01T21:05:0",
           "2026/03/01T21:05:00Z",
           "2026-03-01T21-05-00Z",
           "2026-03-01_21:05:00Z",
           "2026-03-01T21:05:00X",
           "2026-03-01T21:05:00ZZ",
           "2026-03-01T21:05:00 Z",
           "2026-03-01T21:05:00.Z",
           "2026-03-01T21:05:00,5Z",
           "2026-03-01T21:05:00+",
           "2026-03-01T21:05:00+1",
           "2026-03-01T21:05:00+1:30",
           "2026-03-01T21:05:00+01:3",
           "2026-03-01T21:05:00+24:00",
           "2026-03-01T21:05:00+01:60",
           "2026-03-01T21:05:00+aa:00",
           "2026-03-01T21:05:00+01-30",
           "2026-00-01T00:00:00Z",
           "2026-13-01T00:00:00Z",
           "2026-01-00T00:00:00Z",
           "2026-01-32T00:00:00Z",
           "2026-04-31T00:00:00Z",
           "2026-06-31T00:00:00Z",
           "2026-09-31T00:00:00Z",
           "2026-11-31T00:00:00Z",
           "2026-02-29T00:00:00Z",
           "2100-02-29T00:00:00Z",
           "2026-03-01T24:00:00Z",
           "2026-03-01T21:60:00Z",
           "2026-03-01T21:05:61Z",
           "2026-03-01T21:05:60Z",
           "2016-12-31T23:59:60+01:00",
           "-026-03-01T21:05:00Z",
           "2026-+3-01T21:05:00Z",
           "1969-12-31T23:59:59Z",
           "1970-01-01T00:00:00+00:01",
           "2200-01-01T00:00:00.000001Z",
           "9999-12-31T23:59:59Z",
       }) {
    EXPECT_EQ(ParseRfc3339(text), std::nullopt) << text;
  }
}

TEST(TimeFromEpoch, TellsUnitsApartByMagnitude) {
  EXPECT_THAT(TimeFromEpoch(std::int64_t{0}), Optional(0));
  EXPECT_THAT(TimeFromEpoch(std::int64_t{1'772'399'100}), Optional(kMarch));
  EXPECT_THAT(TimeFromEpoch(std::int64_t{1'772'399'100'000}), Optional(kMarch));
  EXPECT_THAT(TimeFromEpoch(std::int64_t{1'772'399'100'000'001}), Optional(kMarch + 1));
  EXPECT_THAT(TimeFromEpoch(std::int64_t{1'772'399'100'000'001'999}), Optional(kMarch + 1));
  EXPECT_THAT(TimeFromEpoch(std::int64_t{7'258'118'400}), Optional(kMaxTime));
  EXPECT_EQ(TimeFromEpoch(std::int64_t{7'258'118'401}), std::nullopt);
  EXPECT_EQ(TimeFromEpoch(std::int64_t{99'999'999'999}), std::nullopt);  // still seconds
  EXPECT_THAT(TimeFromEpoch(std::int64_t{100'000'000'000}), Optional(100'000'000 * kSecondUs));
  EXPECT_THAT(TimeFromEpoch(std::int64_t{100'000'000'000'000}), Optional(100'000'000 * kSecondUs));
  EXPECT_THAT(TimeFromEpoch(std::int64_t{100'000'000'000'000'000}),
              Optional(100'000'000 * kSecondUs));
  EXPECT_EQ(TimeFromEpoch(std::int64_t{-1}), std::nullopt);
  EXPECT_EQ(TimeFromEpoch(INT64_MAX), std::nullopt);
}

TEST(TimeFromEpoch, RoundsDoublesToTheMicrosecond) {
  EXPECT_THAT(TimeFromEpoch(1'772'399'100.123456), Optional(kMarch + 123'456));
  EXPECT_THAT(TimeFromEpoch(1'772'399'100'123.456), Optional(kMarch + 123'456));
  EXPECT_THAT(TimeFromEpoch(1'772'399'100'123'456.0), Optional(kMarch + 123'456));
  EXPECT_THAT(TimeFromEpoch(1.7723991e18), Optional(kMarch));
  EXPECT_THAT(TimeFromEpoch(0.0), Optional(0));
  EXPECT_EQ(TimeFromEpoch(-0.5), std::nullopt);
  EXPECT_EQ(TimeFromEpoch(9e18), std::nullopt);
  EXPECT_EQ(TimeFromEpoch(1e300), std::nullopt);
  EXPECT_EQ(TimeFromEpoch(std::nan("")), std::nullopt);
  EXPECT_EQ(TimeFromEpoch(std::numeric_limits<double>::infinity()), std::nullopt);
}

TEST(ParseTime, AcceptsBothKinds) {
  EXPECT_THAT(ParseTime("2026-03-01T21:05:00Z"), Optional(kMarch));
  EXPECT_THAT(ParseTime("1772399100"), Optional(kMarch));
  EXPECT_THAT(ParseTime("1772399100.250"), Optional(kMarch + 250'000));
  EXPECT_THAT(ParseTime("1772399100123"), Optional(kMarch + 123'000));
  for (const char* text : {"", " 1772399100", "1772399100 ", "1772399100s", "now", "-1", "nan",
                           "inf", "0x10", "99999999999999999999999", "2026-03-01"}) {
    EXPECT_EQ(ParseTime(text), std::nullopt) << text;
  }
}

TEST(FormatTime, PrintsAsManyFractionDigitsAsNeeded) {
  EXPECT_EQ(FormatTime(0), "1970-01-01T00:00:00Z");
  EXPECT_EQ(FormatTime(kMarch), "2026-03-01T21:05:00Z");
  EXPECT_EQ(FormatTime(kMarch + 7'000), "2026-03-01T21:05:00.007Z");
  EXPECT_EQ(FormatTime(kMarch + 7), "2026-03-01T21:05:00.000007Z");
  EXPECT_EQ(FormatTime(kMaxTime), "2200-01-01T00:00:00Z");
  EXPECT_EQ(FormatTime(-1), "1969-12-31T23:59:59.999999Z");
  EXPECT_EQ(FormatTime(kNoTime), "never");
}

TEST(FormatTime, IsReadBackForEveryDay) {
  // A little less than a day, so that the time of day wanders as well.
  for (TimeUs time = 0; time < kMaxTime; time += 86'399'000'017) {
    ASSERT_THAT(ParseRfc3339(FormatTime(time)), Optional(time)) << time;
  }
}

TEST(FormatClock, PrintsTheTimeOfDay) {
  EXPECT_EQ(FormatClock(kMarch + 30 * kSecondUs), "21:05:30");
  EXPECT_EQ(FormatClock(-kSecondUs), "23:59:59");
}

TEST(FormatDuration, IsShortExactAndReadBack) {
  const struct {
    DurationUs duration;
    const char* expected;
  } cases[] = {
      {0, "0s"},
      {7, "7us"},
      {250 * kMillisecondUs, "250ms"},
      {1'500 * kMillisecondUs, "1500ms"},
      {1'000'001, "1000001us"},
      {10'500 * kMillisecondUs, "10s500ms"},
      {kSecondUs, "1s"},
      {60 * kSecondUs, "60s"},
      {90 * kSecondUs, "90s"},
      {2 * kMinuteUs, "2m"},
      {150 * kSecondUs, "2m30s"},
      {5 * kMinuteUs, "5m"},
      {90 * kMinuteUs, "1h30m"},
      {24 * kHourUs, "1d"},
      {8 * kDayUs, "8d"},
      {2 * kWeekUs, "2w"},
      {kDayUs + kMinuteUs + 1, "1d1m1us"},
  };
  for (const auto& [duration, expected] : cases) {
    EXPECT_EQ(FormatDuration(duration), expected);
    EXPECT_THAT(ParseDuration(expected), Optional(duration)) << expected;
  }
  EXPECT_EQ(FormatDuration(-90 * kMinuteUs), "-1h30m");
  EXPECT_EQ(FormatDuration(INT64_MIN).front(), '-');
}

TEST(ParseDuration, RejectsWhatIsMalformed) {
  EXPECT_THAT(ParseDuration("0"), Optional(0));
  EXPECT_THAT(ParseDuration("120s"), Optional(2 * kMinuteUs));
  EXPECT_THAT(ParseDuration("3650d"), Optional(3'650 * kDayUs));
  for (const char* text : {"",
                           "5",
                           "s",
                           "5 s",
                           " 5s",
                           "5s ",
                           "-5s",
                           "+5s",
                           "1.5h",
                           "5x",
                           "5S",
                           "1h30",
                           "30m1h",
                           "1m1m",
                           "1ms1s",
                           "3651d",
                           "3650d1us",
                           "9223372036854775807w",
                           "99999999999999999999s",
                           "00"}) {
    EXPECT_EQ(ParseDuration(text), std::nullopt) << text;
  }
}

TEST(UtcYear, ChangesAtMidnight) {
  EXPECT_EQ(UtcYear(kMarch), 2026);
  EXPECT_EQ(UtcYear(*ParseTime("2026-12-31T23:59:59.999999Z")), 2026);
  EXPECT_EQ(UtcYear(*ParseTime("2027-01-01T00:00:00Z")), 2027);
  EXPECT_EQ(UtcYear(-1), 1969);
}

TEST(HourOfWeek, CountsFromMonday) {
  EXPECT_EQ(HourOfWeek(0), 3 * 24);  // a Thursday
  EXPECT_EQ(HourOfWeek(*ParseTime("2026-03-02T00:00:00Z")), 0);
  EXPECT_EQ(HourOfWeek(*ParseTime("2026-03-01T23:59:59.999999Z")), 167);
  EXPECT_EQ(HourOfWeek(kMarch), 6 * 24 + 21);
  EXPECT_EQ(HourOfWeek(-1), 2 * 24 + 23);
}

}  // namespace
}  // namespace tocsin

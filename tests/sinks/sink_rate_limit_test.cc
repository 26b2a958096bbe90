// When a sink is asked, in virtual time.
#include "sinks/sink_rate_limit.h"

#include <algorithm>
#include <vector>

#include <gtest/gtest.h>

namespace tocsin {
namespace {

constexpr TimeUs kNow = 1'000 * kSecondUs;

TEST(SinkRateLimit, BearsSoManyAtOnce) {
  SinkRateLimit rate_limit;
  for (std::size_t i = 0; i < SinkRateLimit::kRequestsMax; ++i) {
    ASSERT_TRUE(rate_limit.Admits(kNow));
    EXPECT_FALSE(rate_limit.Begin(kNow, 0));
  }
  EXPECT_EQ(rate_limit.OpensAt(), SinkRateLimit::kNever);
  rate_limit.End(/*probe=*/false);
  EXPECT_TRUE(rate_limit.Admits(kNow));
}

TEST(SinkRateLimit, KeepsItsPace) {
  SinkRateLimit rate_limit;
  rate_limit.Begin(kNow, kSecondUs);
  EXPECT_EQ(rate_limit.OpensAt(), kNow + kSecondUs);
}

TEST(SinkRateLimit, ManyFailuresAtOnceAreOneOutage) {
  SinkRateLimit rate_limit;
  for (int i = 0; i < 8; ++i) rate_limit.Begin(kNow, 0);
  for (int i = 0; i < 8; ++i) {
    rate_limit.End(false);
    rate_limit.OnFailed({}, kNow);
  }
  EXPECT_EQ(rate_limit.OpensAt(), kNow + kSecondUs);
}

TEST(SinkRateLimit, OneProbeAtATimeAtEverLongerIntervals) {
  SinkRateLimit rate_limit;
  TimeUs now = kNow;
  rate_limit.Begin(now, 0);
  rate_limit.End(false);
  rate_limit.OnFailed({.draw = 1'000'000'007}, now);
  for (const DurationUs expected : {1, 2, 4, 8, 12, 12, 12}) {
    EXPECT_GE(rate_limit.OpensAt() - now, expected * kSecondUs);
    EXPECT_LE(rate_limit.OpensAt() - now, expected * kSecondUs * 3 / 2);
    now = rate_limit.OpensAt();
    ASSERT_TRUE(rate_limit.Begin(now, 0));
    EXPECT_EQ(rate_limit.OpensAt(), SinkRateLimit::kNever) << "one at a time";
    rate_limit.End(/*probe=*/true);
    rate_limit.OnFailed({.probe = true, .draw = 1'000'000'007}, now);
  }
}

TEST(SinkRateLimit, AProbeThatHangsDoesNotWaitForRequestsThatHang) {
  SinkRateLimit rate_limit;
  for (int i = 0; i < 8; ++i) rate_limit.Begin(kNow, 0);
  rate_limit.End(false);
  rate_limit.OnFailed({}, kNow);
  EXPECT_TRUE(rate_limit.Admits(kNow + kSecondUs));
}

TEST(SinkRateLimit, ARoundHasASecondProbeWhereOthersWait) {
  SinkRateLimit rate_limit;
  rate_limit.Begin(kNow, 0);
  rate_limit.End(false);
  rate_limit.OnFailed({}, kNow);
  const TimeUs later = kNow + kSecondUs;
  EXPECT_FALSE(rate_limit.asks_again());
  ASSERT_TRUE(rate_limit.Begin(later, 0));
  rate_limit.End(true);
  rate_limit.OnFailed({.probe = true, .others_wait = true}, later);
  EXPECT_TRUE(rate_limit.asks_again());
  ASSERT_TRUE(rate_limit.Admits(later)) << "at once";
  ASSERT_TRUE(rate_limit.Begin(later, 0));
  rate_limit.End(true);
  rate_limit.OnFailed({.probe = true, .others_wait = true}, later);
  EXPECT_FALSE(rate_limit.asks_again());
  EXPECT_EQ(rate_limit.OpensAt(), later + 2 * kSecondUs);
}

TEST(SinkRateLimit, TheFirstThatIsTakenOpensIt) {
  SinkRateLimit rate_limit;
  for (int i = 0; i < 2; ++i) rate_limit.Begin(kNow, 0);
  rate_limit.End(false);
  rate_limit.OnFailed({}, kNow);
  EXPECT_FALSE(rate_limit.Admits(kNow));
  rate_limit.End(false);
  EXPECT_TRUE(rate_limit.OnTaken());
  EXPECT_TRUE(rate_limit.Admits(kNow));
  EXPECT_EQ(rate_limit.taken(), 1u);
  EXPECT_FALSE(rate_limit.OnTaken()) << "there was no outage";
}

TEST(SinkRateLimit, RetryAfter) {
  // 429 is about us, and holds although another request is taken.
  SinkRateLimit many;
  for (int i = 0; i < 2; ++i) many.Begin(kNow, 0);
  many.End(false);
  many.OnFailed({.too_many = true, .asked = 90 * kSecondUs}, kNow);
  many.End(false);
  many.OnTaken();
  EXPECT_EQ(many.OpensAt(), kNow + 90 * kSecondUs);
  // With anything else it is a guess, which the first success corrects.
  SinkRateLimit outage;
  for (int i = 0; i < 2; ++i) outage.Begin(kNow, 0);
  outage.End(false);
  outage.OnFailed({.asked = 90 * kSecondUs}, kNow);
  EXPECT_EQ(outage.OpensAt(), kNow + 90 * kSecondUs);
  outage.End(false);
  outage.OnTaken();
  EXPECT_TRUE(outage.Admits(kNow));
  EXPECT_EQ(SinkRateLimit::Believed({.too_many = true, .asked = kDayUs}), kHourUs);
  EXPECT_EQ(SinkRateLimit::Believed({.asked = kDayUs}), 5 * kMinuteUs);
  EXPECT_EQ(SinkRateLimit::Believed({.asked = -1}), 0);
}

}  // namespace
}  // namespace tocsin

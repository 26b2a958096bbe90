// When a sink is asked, in virtual time.
#include "sinks/sink_gate.h"

#include <algorithm>
#include <vector>

#include <gtest/gtest.h>

namespace tocsin {
namespace {

constexpr TimeUs kNow = 1'000 * kSecondUs;

TEST(SinkGate, BearsSoManyAtOnce) {
  SinkGate gate;
  for (std::size_t i = 0; i < SinkGate::kRequestsMax; ++i) {
    ASSERT_TRUE(gate.Admits(kNow));
    EXPECT_FALSE(gate.Begin(kNow, 0));
  }
  EXPECT_EQ(gate.OpensAt(), SinkGate::kNever);
  gate.End(/*probe=*/false);
  EXPECT_TRUE(gate.Admits(kNow));
}

TEST(SinkGate, KeepsItsPace) {
  SinkGate gate;
  gate.Begin(kNow, kSecondUs);
  EXPECT_EQ(gate.OpensAt(), kNow + kSecondUs);
}

TEST(SinkGate, ManyFailuresAtOnceAreOneOutage) {
  SinkGate gate;
  for (int i = 0; i < 8; ++i) gate.Begin(kNow, 0);
  for (int i = 0; i < 8; ++i) {
    gate.End(false);
    gate.OnFailed({}, kNow);
  }
  EXPECT_EQ(gate.OpensAt(), kNow + kSecondUs);
}

TEST(SinkGate, OneProbeAtATimeAtEverLongerIntervals) {
  SinkGate gate;
  TimeUs now = kNow;
  gate.Begin(now, 0);
  gate.End(false);
  gate.OnFailed({.draw = 1'000'000'007}, now);
  for (const DurationUs expected : {1, 2, 4, 8, 12, 12, 12}) {
    EXPECT_GE(gate.OpensAt() - now, expected * kSecondUs);
    EXPECT_LE(gate.OpensAt() - now, expected * kSecondUs * 3 / 2);
    now = gate.OpensAt();
    ASSERT_TRUE(gate.Begin(now, 0));
    EXPECT_EQ(gate.OpensAt(), SinkGate::kNever) << "one at a time";
    gate.End(/*probe=*/true);
    gate.OnFailed({.probe = true, .draw = 1'000'000'007}, now);
  }
}

TEST(SinkGate, AProbeThatHangsDoesNotWaitForRequestsThatHang) {
  SinkGate gate;
  for (int i = 0; i < 8; ++i) gate.Begin(kNow, 0);
  gate.End(false);
  gate.OnFailed({}, kNow);
  EXPECT_TRUE(gate.Admits(kNow + kSecondUs));
}

TEST(SinkGate, ARoundHasASecondProbeWhereOthersWait) {
  SinkGate gate;
  gate.Begin(kNow, 0);
  gate.End(false);
  gate.OnFailed({}, kNow);
  const TimeUs later = kNow + kSecondUs;
  EXPECT_FALSE(gate.asks_again());
  ASSERT_TRUE(gate.Begin(later, 0));
  gate.End(true);
  gate.OnFailed({.probe = true, .others_wait = true}, later);
  EXPECT_TRUE(gate.asks_again());
  ASSERT_TRUE(gate.Admits(later)) << "at once";
  ASSERT_TRUE(gate.Begin(later, 0));
  gate.End(true);
  gate.OnFailed({.probe = true, .others_wait = true}, later);
  EXPECT_FALSE(gate.asks_again());
  EXPECT_EQ(gate.OpensAt(), later + 2 * kSecondUs);
}

TEST(SinkGate, TheFirstThatIsTakenOpensIt) {
  SinkGate gate;
  for (int i = 0; i < 2; ++i) gate.Begin(kNow, 0);
  gate.End(false);
  gate.OnFailed({}, kNow);
  EXPECT_FALSE(gate.Admits(kNow));
  gate.End(false);
  EXPECT_TRUE(gate.OnTaken());
  EXPECT_TRUE(gate.Admits(kNow));
  EXPECT_EQ(gate.taken(), 1u);
  EXPECT_FALSE(gate.OnTaken()) << "there was no outage";
}

TEST(SinkGate, RetryAfter) {
  // 429 is about us, and holds although another request is taken.
  SinkGate many;
  for (int i = 0; i < 2; ++i) many.Begin(kNow, 0);
  many.End(false);
  many.OnFailed({.too_many = true, .asked = 90 * kSecondUs}, kNow);
  many.End(false);
  many.OnTaken();
  EXPECT_EQ(many.OpensAt(), kNow + 90 * kSecondUs);
  // With anything else it is a guess, which the first success corrects.
  SinkGate outage;
  for (int i = 0; i < 2; ++i) outage.Begin(kNow, 0);
  outage.End(false);
  outage.OnFailed({.asked = 90 * kSecondUs}, kNow);
  EXPECT_EQ(outage.OpensAt(), kNow + 90 * kSecondUs);
  outage.End(false);
  outage.OnTaken();
  EXPECT_TRUE(outage.Admits(kNow));
  EXPECT_EQ(SinkGate::Believed({.too_many = true, .asked = kDayUs}), kHourUs);
  EXPECT_EQ(SinkGate::Believed({.asked = kDayUs}), 5 * kMinuteUs);
  EXPECT_EQ(SinkGate::Believed({.asked = -1}), 0);
}

}  // namespace
}  // namespace tocsin

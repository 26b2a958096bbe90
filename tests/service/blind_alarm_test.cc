#include "service/blind_alarm.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tocsin {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Conditions = std::vector<BlindAlarm::Condition>;

const BlindAlarm::Condition kDisk = {.key = "disk", .text = "disk full", .after = kMinuteUs};
const BlindAlarm::Condition kLoss = {.key = "loss", .text = "records lost", .after = 0};

class BlindAlarmTest : public testing::Test {
 protected:
  // How often it became, or ceased to be, blind.
  int Run(DurationUs duration, const Conditions& conditions) {
    int changes = 0;
    for (const TimeUs until = now_ + duration; now_ < until;) {
      now_ += kSecondUs;
      changes += alarm_.Update(now_, conditions) ? 1 : 0;
    }
    return changes;
  }
  TimeUs now_ = 100 * kSecondUs;
  BlindAlarm alarm_{kMinuteUs};
};

TEST_F(BlindAlarmTest, AConditionHasToLast) {
  EXPECT_EQ(Run(59 * kSecondUs, {kDisk}), 0);
  EXPECT_EQ(Run(10 * kSecondUs, {}), 0);
  EXPECT_EQ(Run(59 * kSecondUs, {kDisk}), 0);
  EXPECT_EQ(Run(5 * kSecondUs, {kDisk}), 1);
  EXPECT_TRUE(alarm_.state().blind);
  EXPECT_THAT(alarm_.state().reasons, ElementsAre("disk full"));
}

TEST_F(BlindAlarmTest, OneThatCannotWaitCountsAtOnce) {
  EXPECT_EQ(Run(kSecondUs, {kLoss}), 1);
  EXPECT_EQ(Run(kHourUs, {kLoss}), 0) << "one page, however long";
}

TEST_F(BlindAlarmTest, ItIsOverAfterAMinuteOfNone) {
  Run(2 * kMinuteUs, {kDisk});
  EXPECT_EQ(Run(59 * kSecondUs, {}), 0);
  EXPECT_EQ(Run(kSecondUs, {kDisk}), 0) << "not long enough to count, and not over either";
  EXPECT_TRUE(alarm_.state().blind);
  EXPECT_EQ(Run(62 * kSecondUs, {}), 1);
  EXPECT_FALSE(alarm_.state().blind);
  EXPECT_THAT(alarm_.state().reasons, IsEmpty());
  EXPECT_EQ(Run(2 * kMinuteUs, {kDisk}), 1);
  EXPECT_EQ(alarm_.state().episode, 2);
}

TEST_F(BlindAlarmTest, ATimeInWhichTheProcessWasStoppedDoesNotCount) {
  Run(5 * kSecondUs, {kDisk});
  now_ += kHourUs;
  EXPECT_EQ(Run(20 * kSecondUs, {kDisk}), 0);
  EXPECT_EQ(Run(40 * kSecondUs, {kDisk}), 1);
  now_ += kHourUs;
  EXPECT_EQ(Run(30 * kSecondUs, {}), 0);
}

}  // namespace
}  // namespace tocsin

#include "system/time_source.h"

#include <gtest/gtest.h>

#include <random>

namespace tocsin {
namespace {

constexpr TimeUs kStart = 1'767'225'600 * kSecondUs;

// A host whose clocks a test turns.
class Host {
 public:
  TimeSource::Reading Read() const { return {.monotonic = monotonic_, .wall = wall_}; }
  // Both clocks run on, and Wall is observed as often as the engine does.
  void Run(TimeSource* time, DurationUs duration, double rate = 1) {
    constexpr DurationUs kStep = 50 * kMillisecondUs;
    for (DurationUs passed = 0; passed < duration; passed += kStep) {
      monotonic_ += kStep;
      wall_ += static_cast<DurationUs>(static_cast<double>(kStep) * rate);
      time->Observe();
    }
  }
  void Step(DurationUs by) { wall_ += by; }
  // Neither runs for the program, but time has passed (a suspend: CLOCK_BOOTTIME counts it).
  void Sleep(DurationUs duration) {
    monotonic_ += duration;
    wall_ += duration;
  }
  TimeUs wall() const { return wall_; }

 private:
  TimeUs monotonic_ = 1'000 * kSecondUs;
  TimeUs wall_ = kStart;
};

class TimeSourceTest : public testing::Test {
 protected:
  Host host_;
  TimeSource time_{[this] { return host_.Read(); }};
};

TEST_F(TimeSourceTest, AStepThatIsTakenBackMovesNothing) {
  for (const DurationUs step : {kHourUs, -kHourUs, kDayUs, -2 * kSecondUs, 30 * kSecondUs}) {
    host_.Run(&time_, 5 * kSecondUs);
    const TimeUs before = time_.Wall();
    host_.Step(step);
    host_.Run(&time_, 1'500 * kMillisecondUs);
    EXPECT_EQ(time_.Wall(), before + 1'500 * kMillisecondUs) << FormatDuration(step);
    EXPECT_EQ(time_.deviation(), step);
    host_.Step(-step);
    host_.Run(&time_, kHourUs);
    EXPECT_EQ(time_.Wall(), host_.wall());
  }
  EXPECT_EQ(time_.steps(), 0);
}

TEST_F(TimeSourceTest, AStepThatLastsIsFollowed) {
  struct Case {
    DurationUs step, lasts;
  };
  for (const auto& [step, lasts] :
       {Case{30 * kSecondUs, 10 * kSecondUs}, Case{-30 * kSecondUs, 10 * kSecondUs},
        Case{10 * kMinuteUs, kMinuteUs}, Case{kDayUs, 5 * kMinuteUs},
        Case{-kHourUs, 5 * kMinuteUs}}) {
    const std::int64_t before = time_.steps();
    host_.Step(step);
    host_.Run(&time_, lasts - kSecondUs);
    EXPECT_EQ(time_.Wall(), host_.wall() - step) << FormatDuration(step);
    host_.Run(&time_, 2 * kSecondUs);
    EXPECT_EQ(time_.Wall(), host_.wall()) << FormatDuration(step);
    EXPECT_EQ(time_.steps(), before + 1);
  }
}

// One that comes and goes in ever new sizes is followed at none of them.
TEST_F(TimeSourceTest, AnErraticClockIsNotFollowed) {
  std::mt19937_64 random(7);
  for (int i = 0; i < 500; ++i) {
    const auto step = static_cast<DurationUs>(random() % (2 * kHourUs)) - kHourUs;
    host_.Step(step);
    host_.Run(&time_, 2 * kSecondUs);
    host_.Step(-step);
  }
  host_.Run(&time_, kMinuteUs);
  EXPECT_EQ(time_.steps(), 0);
  EXPECT_EQ(time_.Wall(), host_.wall());
}

TEST_F(TimeSourceTest, DriftIsFollowedWithoutAStep) {
  // A leap second that is smeared over a day runs by 1 in 86,400; NTP corrects by up to 1 in 2,000.
  for (const double rate : {1 + 1.0 / 86'400, 1 - 1.0 / 86'400, 1.0005, 0.9995}) {
    TimeUs last = time_.Wall();
    for (int minute = 0; minute < 120; ++minute) {
      host_.Run(&time_, kMinuteUs, rate);
      EXPECT_GT(time_.Wall(), last);
      last = time_.Wall();
      EXPECT_LT(std::abs(time_.Wall() - host_.wall()), 10 * kMillisecondUs) << rate;
    }
  }
  EXPECT_EQ(time_.steps(), 0);
}

TEST_F(TimeSourceTest, ASuspendIsNoStep) {
  host_.Run(&time_, kMinuteUs);
  host_.Sleep(10 * kMinuteUs);
  time_.Observe();
  EXPECT_EQ(time_.deviation(), 0);
  EXPECT_EQ(time_.Wall(), host_.wall());
}

TEST(TimeSource, ReadsTheHostsClocks) {
  const TimeSource time;
  EXPECT_GT(time.Monotonic(), 0);
  EXPECT_GT(time.Wall(), kStart - kDayUs);
  const TimeSource::Reading now = time.Now();
  EXPECT_GE(now.monotonic, 0);
}

}  // namespace
}  // namespace tocsin

// The page that the engine is blind, and the heartbeat, against PagerDuty's stand-in.

#include "service/self_alarm.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/clock.h"
#include "demo/pagerduty_standin.h"
#include "transport/http_server.h"

namespace tocsin {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

class SelfAlarmTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(pagerduty_.Start().ok());
    std::ofstream(key_) << "key\n";
    ErrorList errors;
    config_ = LoadConfigText(
        "detectors: []\nsinks:\n"
        "  - {name: oncall, kind: pagerduty, url: \"" +
            pagerduty_.url() + "\", routing_key_file: " + key_ +
            "}\n"
            "  - {name: console, kind: stdout}\n"
            "blind: {name: shop}\n",
        "test", &errors);
    ASSERT_TRUE(config_) << errors.Sorted().front().ToString();
    sinks_ = NewSinks(*config_, &errors);
    ASSERT_TRUE(errors.empty());
  }
  void Start() {
    alarm_.emplace(SelfAlarm::Options{.config = &*config_, .sinks = &sinks_, .time = &time_});
    ASSERT_TRUE(alarm_->Start().ok());
  }
  template <typename Condition>
  void WaitUntil(Condition condition) {
    const absl::Time deadline = absl::Now() + absl::Minutes(1);
    while (!condition()) {
      ASSERT_LT(absl::Now(), deadline);
      absl::SleepFor(absl::Milliseconds(1));
    }
  }
  static Blindness Blind(std::string reason) {
    return {.blind = true, .episode = 1, .reasons = {std::move(reason)}};
  }

  std::atomic<int> refuse_ = 0;  // so many requests
  // Virtual, so that pauses and the echo need not be waited for.
  std::atomic<TimeUs> now_ = 100 * kSecondUs;
  TimeSource time_{[this] {
    return TimeSource::Reading{.monotonic = now_, .wall = 1'767'225'600 * kSecondUs + now_};
  }};
  PagerDutyStandIn pagerduty_{{.act_up = [this](const PagerDutyStandIn::Request&) {
    return refuse_.fetch_sub(1) > 0 ? 503 : 0;
  }}};
  const std::string key_ = testing::TempDir() + "/self_alarm.key";
  std::optional<Config> config_;
  std::vector<std::unique_ptr<Sink>> sinks_;
  std::optional<SelfAlarm> alarm_;
};

TEST_F(SelfAlarmTest, OnePageUnderAConstantKeyThatResolves) {
  Start();
  alarm_->SetBlindness(Blind("input logs cannot be read"));
  WaitUntil([&] { return pagerduty_.Pages().size() == 1; });
  const PagerDutyStandIn::Page page = pagerduty_.Pages().front();
  EXPECT_EQ(page.dedup_key, "shop:blind");
  EXPECT_THAT(page.summary, HasSubstr("tocsin is blind: input logs cannot be read"));
  EXPECT_EQ(page.severity, "critical");
  EXPECT_FALSE(page.resolved);

  alarm_->SetBlindness({.blind = false, .episode = 1});
  WaitUntil([&] { return pagerduty_.Pages().front().resolved; });
  WaitUntil([&] { return alarm_->counters().pages == 2; });
  now_ += SelfAlarm::kEchoAfter;
  alarm_->ResolveLeftovers();  // wakes it
  WaitUntil(
      [&] { return pagerduty_.Pages().front().resolves >= 1 && alarm_->counters().pages >= 3; });
  EXPECT_THAT(pagerduty_.Pages(), SizeIs(1));
  EXPECT_TRUE(pagerduty_.Rejected().empty());
}

TEST_F(SelfAlarmTest, ASinkThatRefusesIsTriedAgain) {
  refuse_ = 2;
  Start();
  alarm_->SetBlindness(Blind("disk"));
  WaitUntil([&] { return alarm_->counters().failures == 1; });
  now_ += SelfAlarm::kPauseMin;
  alarm_->Beat();  // wakes it; without a heartbeat in the configuration nothing goes out
  WaitUntil([&] { return alarm_->counters().failures == 2; });
  now_ += 2 * SelfAlarm::kPauseMin;
  alarm_->Beat();
  WaitUntil([&] { return pagerduty_.Pages().size() == 1; });
}

TEST_F(SelfAlarmTest, OtherSecretsCountAtOnce) {
  refuse_ = 1;
  Start();
  alarm_->SetBlindness(Blind("disk"));
  WaitUntil([&] { return alarm_->counters().failures == 1; });
  std::ofstream(key_) << "renewed\n";
  ErrorList errors;
  alarm_->ReplaceSinks(NewSinks(*config_, &errors));
  ASSERT_TRUE(errors.empty());
  WaitUntil([&] { return pagerduty_.Pages().size() == 1; });
  EXPECT_THAT(pagerduty_.Requests().back().body, HasSubstr("renewed"));
}

TEST_F(SelfAlarmTest, WhatIsOverBeforeAnybodyHeardOfItIsNotTold) {
  refuse_ = 1;
  Start();
  alarm_->SetBlindness(Blind("disk"));
  WaitUntil([&] { return alarm_->counters().failures == 1; });
  alarm_->SetBlindness({.blind = false, .episode = 1});
  now_ += kHourUs;
  alarm_->SetBlindness(Blind("again"));
  WaitUntil([&] { return pagerduty_.Pages().size() == 1; });
  EXPECT_THAT(pagerduty_.Pages().front().summary, HasSubstr("again"));
  EXPECT_EQ(pagerduty_.Pages().front().triggers, 1);
}

TEST_F(SelfAlarmTest, WhatAnEarlierProcessLeftOpenIsResolved) {
  {
    Start();
    alarm_->SetBlindness(Blind("disk"));
    WaitUntil([&] { return pagerduty_.Pages().size() == 1; });
    alarm_.reset();  // killed
  }
  Start();
  alarm_->ResolveLeftovers();
  WaitUntil([&] { return pagerduty_.Pages().front().resolved; });
}

TEST_F(SelfAlarmTest, HeartbeatsGoOutWhenAskedFor) {
  std::atomic<int> beats = 0;
  std::atomic<int> status = 200;
  HttpServer monitor({.address = "127.0.0.1:0"}, [&](const HttpRequest&) {
    ++beats;
    return HttpResponse{.status = status, .body = "ok"};
  });
  ASSERT_TRUE(monitor.Start().ok());
  const std::string url_file = testing::TempDir() + "/heartbeat.url";
  std::ofstream(url_file) << "http://127.0.0.1:" << monitor.port() << "/secret\n";
  config_->heartbeat = HeartbeatConfig{.url_file = url_file};
  Start();
  alarm_->Beat();
  WaitUntil([&] { return alarm_->counters().heartbeats == 1; });
  status = 500;
  alarm_->Beat();
  WaitUntil([&] { return alarm_->counters().failures == 1; });
  EXPECT_EQ(beats, 2);
  EXPECT_EQ(alarm_->counters().heartbeats, 1);
}

}  // namespace
}  // namespace tocsin

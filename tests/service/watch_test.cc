#include "service/watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_join.h"
#include "journal/journal.h"

namespace tocsin {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr TimeUs kWall = 1'767'225'600 * kSecondUs;

class WatchTest : public testing::Test {
 protected:
  WatchTest() {
    ErrorList errors;
    config_ = LoadConfigText(
        "inputs: [{name: logs, file: a.log}]\n"
        "detectors: [{name: e, kind: error_rate, by: [service], critical: {above: 50%, window: "
        "1m}}]\n",
        "test", &errors);
    alarm_.emplace(SelfAlarm::Options{.config = &*config_, .sinks = &sinks_, .time = &time_});
    log_.emplace(BatchLog::Options{.journal = journal_.get(), .time = &time_});
    watch_.emplace(
        Watch::Options{.config = &*config_, .time = &time_, .alarm = &*alarm_, .log = &*log_});
    state_.inputs = {{.name = "logs", .state = InputStatus::State::kRunning, .assigned = true}};
    state_.inputs[0].sources = {{.input = "logs", .source = "logs/a.log", .clock = kWall}};
  }

  InputStatus& input() { return state_.inputs[0]; }
  SourceStatus& source() { return state_.inputs[0].sources[0]; }
  // The source keeps up unless a test says otherwise.
  void Run(
      DurationUs duration, const std::function<void()>& each = [] {}) {
    for (DurationUs passed = 0; passed < duration; passed += kSecondUs) {
      now_ += kSecondUs;
      if (follows_) source().clock += kSecondUs;
      each();
      watch_->Turn(state_);
      state_.losses.clear();
    }
  }
  std::string Reasons() const { return absl::StrJoin(watch_->blindness().reasons, "; "); }

  TimeUs now_ = 100 * kSecondUs;
  TimeSource time_{[this] {
    return TimeSource::Reading{.monotonic = now_, .wall = kWall + now_ - 100 * kSecondUs};
  }};
  std::optional<Config> config_;
  std::vector<std::unique_ptr<Sink>> sinks_;
  std::unique_ptr<Journal> journal_ = NewMemoryJournal();
  std::optional<SelfAlarm> alarm_;
  std::optional<BatchLog> log_;
  std::optional<Watch> watch_;
  WatchedState state_;
  bool follows_ = true;
};

TEST_F(WatchTest, AllIsWell) {
  Run(kHourUs, [&] { source().counters.events += 100; });
  EXPECT_THAT(watch_->blindness().reasons, IsEmpty());
}

TEST_F(WatchTest, AnInputThatCannotBeRead) {
  input().state = InputStatus::State::kFailed;
  input().reason = "no broker answered";
  input().down_since = now_;
  Run(59 * kSecondUs);
  EXPECT_FALSE(watch_->blindness().blind);
  Run(3 * kSecondUs);
  EXPECT_EQ(Reasons(), "input logs cannot be read: no broker answered");
  input().state = InputStatus::State::kRunning;
  input().down_since = kNoTime;
  Run(63 * kSecondUs);
  EXPECT_FALSE(watch_->blindness().blind);
}

TEST_F(WatchTest, AStateThatCannotBeOpened) {
  watch_.emplace(Watch::Options{.config = &*config_, .time = &time_, .alarm = &*alarm_});
  const WatchedState open = state_;
  state_ = {.inputs = {}, .log = {}, .unopened = "the state cannot be opened: no room"};
  follows_ = false;
  Run(59 * kSecondUs);
  EXPECT_FALSE(watch_->blindness().blind);
  Run(3 * kSecondUs);
  EXPECT_EQ(Reasons(), "the state cannot be opened: no room");
  state_ = open;
  source().at_end = true;
  watch_->Attach(&*log_);
  Run(63 * kSecondUs);
  EXPECT_FALSE(watch_->blindness().blind);
}

TEST_F(WatchTest, AnInputThatHasEndedIsNotMissed) {
  input().state = InputStatus::State::kEnded;
  input().down_since = now_;
  Run(kHourUs);
  EXPECT_FALSE(watch_->blindness().blind);
}

TEST_F(WatchTest, OneSourceOfSeveral) {
  source().problem = "permission denied";
  Run(62 * kSecondUs);
  EXPECT_EQ(Reasons(), "logs/a.log (permission denied) cannot be read");
}

TEST_F(WatchTest, AnInputThatIsFarBehind) {
  follows_ = false;
  Run(5 * kMinuteUs);
  EXPECT_FALSE(watch_->blindness().blind);
  Run(62 * kSecondUs);
  EXPECT_THAT(Reasons(), HasSubstr("input logs is 6m"));
  // At its end nothing is missing, however old that is.
  source().at_end = true;
  Run(63 * kSecondUs);
  EXPECT_FALSE(watch_->blindness().blind);
}

TEST_F(WatchTest, EventsThatComeTooLateForALongTime) {
  const auto late = [&] {
    source().counters.events += 10;
    source().counters.late += 5;
  };
  Run(2 * kMinuteUs, late);
  Run(10 * kMinuteUs, [&] { source().counters.events += 10; });
  EXPECT_FALSE(watch_->blindness().blind) << "some old lines that were read once";
  Run(6 * kMinuteUs, late);
  EXPECT_THAT(Reasons(), HasSubstr("50 % of the events of input logs come too late"));
}

TEST_F(WatchTest, EventsFromTheFuture) {
  Run(6 * kMinuteUs, [&] {
    source().counters.events += 1;
    source().counters.quarantined += 1;
  });
  EXPECT_THAT(Reasons(), HasSubstr("100 % of the events of input logs"));
}

TEST_F(WatchTest, AFormatThatHasChanged) {
  Run(kHourUs, [&] {
    source().counters.events += 1;
    source().counters.undecodable += 9;
  });
  EXPECT_FALSE(watch_->blindness().blind) << "a log with many other lines";
  Run(8 * kMinuteUs, [&] { source().counters.undecodable += 10; });
  EXPECT_THAT(Reasons(), HasSubstr("100 % of input logs cannot be decoded"));
}

TEST_F(WatchTest, TheDiskAndDecisions) {
  state_.log.disk.error = absl::ResourceExhaustedError("no space left");
  state_.log.disk.failing_since = now_;
  state_.log.undecided_since = now_;
  Run(68 * kSecondUs);
  EXPECT_EQ(Reasons(), "the state cannot be written: no space left; decisions stand still");
}

TEST_F(WatchTest, WhatIsLeftOutAndWhatIsLost) {
  state_.excluded = {"logs/a.log"};
  Run(2 * kSecondUs);
  EXPECT_EQ(Reasons(), "decides without logs/a.log");
  state_.excluded.clear();
  state_.losses = {"logs/a.log: offsets 3 to 7 are lost"};
  Run(9 * kMinuteUs);
  EXPECT_EQ(Reasons(), "logs/a.log: offsets 3 to 7 are lost");
  Run(3 * kMinuteUs);
  EXPECT_FALSE(watch_->blindness().blind);
}

TEST_F(WatchTest, BatchesThatAreLostAreSaidOnce) {
  state_.lost_batches = 2;
  Run(2 * kSecondUs);
  EXPECT_THAT(Reasons(), testing::StartsWith("2 batches of panes missing or damaged"));
  Run(12 * kMinuteUs);
  EXPECT_FALSE(watch_->blindness().blind);
  state_.lost_batches = 3;
  Run(2 * kSecondUs);
  EXPECT_THAT(Reasons(), testing::StartsWith("1 batch of panes missing or damaged"));
}

}  // namespace
}  // namespace tocsin

// When the watch sends a heartbeat: it tells an external monitor that the engine works, so it must
// not be sent while any part stands still.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/clock.h"
#include "journal/journal.h"
#include "service/watch.h"
#include "transport/http_server.h"

namespace tocsin {
namespace {

class HeartbeatTest : public testing::Test {
 protected:
  HeartbeatTest() {
    EXPECT_TRUE(monitor_.Start().ok());
    ErrorList errors;
    config_ =
        LoadConfigText("inputs: [{name: logs, file: a.log}]\ndetectors: []\n", "test", &errors);
    config_->heartbeat = HeartbeatConfig{
        .url = "http://127.0.0.1:" + std::to_string(monitor_.port()), .every = kMinuteUs};
    alarm_.emplace(SelfAlarm::Options{.config = &*config_, .sinks = &sinks_, .time = &time_});
    EXPECT_TRUE(alarm_->Start().ok());
    EXPECT_TRUE(log_.Start().ok());
    watch_.emplace(
        Watch::Options{.config = &*config_, .time = &time_, .alarm = &*alarm_, .log = &log_});
    state_.inputs = {{.name = "logs", .state = InputStatus::State::kRunning, .assigned = true}};
    state_.durable = state_.decided = kFar;
  }

  void Run(DurationUs duration) {
    for (DurationUs passed = 0; passed < duration; passed += kSecondUs) {
      now_ += kSecondUs;
      if (delivers_) ++state_.delivery_turns;
      watch_->Turn(state_);
    }
  }
  // The number of canaries in the batch log: one is appended when a heartbeat is due, the next only
  // after that heartbeat was sent.
  std::size_t Canaries() const { return log_.GetHealth().undecided; }
  // Well, ill, well again.
  void ExpectHeldBack(const std::function<void()>& break_it, const std::function<void()>& mend_it) {
    break_it();
    Run(2 * kMinuteUs);
    const std::size_t before = Canaries();
    const int beats = beats_;
    Run(10 * kMinuteUs);
    EXPECT_EQ(Canaries(), before);
    EXPECT_LE(beats_, beats + 1) << "one may have been on its way";
    mend_it();
    Run(4 * kMinuteUs);
    EXPECT_GE(Canaries(), before + 2);
  }

  static constexpr std::uint64_t kFar = 1'000'000;  // beyond every sequence in the log
  std::atomic<int> beats_ = 0;
  HttpServer monitor_{{.address = "127.0.0.1:0"}, [this](const HttpRequest&) {
                        ++beats_;
                        return HttpResponse{.status = 200, .body = "ok"};
                      }};
  std::atomic<TimeUs> now_ = 100 * kSecondUs;
  TimeSource time_{[this] {
    return TimeSource::Reading{.monotonic = now_, .wall = 1'767'225'600 * kSecondUs + now_};
  }};
  std::optional<Config> config_;
  std::vector<std::unique_ptr<Sink>> sinks_;
  std::unique_ptr<Journal> journal_ = NewMemoryJournal();
  BatchLog log_{{.journal = journal_.get(), .time = &time_}};
  std::optional<SelfAlarm> alarm_;
  std::optional<Watch> watch_;
  WatchedState state_;
  bool delivers_ = true;
};

TEST_F(HeartbeatTest, GoesOutWhenItIsDueAndAllIsWell) {
  Run(2 * kSecondUs);
  const absl::Time deadline = absl::Now() + absl::Minutes(1);
  while (beats_ == 0 && absl::Now() < deadline) absl::SleepFor(absl::Milliseconds(1));
  EXPECT_EQ(beats_, 1);
  EXPECT_EQ(Canaries(), 1U);
  Run(58 * kSecondUs);
  EXPECT_EQ(Canaries(), 1U) << "not before a minute has passed";
  Run(10 * kMinuteUs);
  EXPECT_EQ(Canaries(), 11U);
}

TEST_F(HeartbeatTest, NotWhileNothingBecomesDurable) {
  ExpectHeldBack([&] { state_.durable = 0; }, [&] { state_.durable = kFar; });
}

TEST_F(HeartbeatTest, NotWhileNothingIsDecided) {
  ExpectHeldBack([&] { state_.decided = 0; }, [&] { state_.decided = kFar; });
}

TEST_F(HeartbeatTest, NotWhileTheDelivererStands) {
  ExpectHeldBack([&] { delivers_ = false; }, [&] { delivers_ = true; });
}

TEST_F(HeartbeatTest, NotWhileItIsBlind) {
  ExpectHeldBack(
      [&] {
        state_.inputs[0].reason = "a.log: No such file or directory";
        state_.inputs[0].down_since = now_;
      },
      [&] {
        state_.inputs[0].reason.clear();
        state_.inputs[0].down_since = kNoTime;
      });
}

// As service/input_runner.h says it of one that hangs: it runs, and has its sources at their ends.
TEST_F(HeartbeatTest, NotWhileAnInputHangs) {
  state_.inputs[0].sources = {
      {.input = "logs", .source = "logs/a.log", .clock = 1, .at_end = true}};
  ExpectHeldBack([&] { state_.inputs[0].down_since = now_; },
                 [&] { state_.inputs[0].down_since = kNoTime; });
}

}  // namespace
}  // namespace tocsin

#include "panes/source_clock.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tocsin {
namespace {

using Trust = SourceClock::Trust;

constexpr TimeUs kStart = 1'700'000'000 * kSecondUs;

// Feeds seconds after kStart as SourcePartition does. Answers a letter a record: accept, hold,
// release (and accept), drop (and accept).
class Driver {
 public:
  explicit Driver(Trust trust) : clock_(trust) {}

  std::string Feed(const std::vector<std::int64_t>& seconds) {
    std::string letters;
    for (const std::int64_t second : seconds) letters += One(kStart + second * kSecondUs);
    return letters;
  }

  SourceClock& clock() { return clock_; }
  std::int64_t now() const { return (clock_.now() - kStart) / kSecondUs; }

 private:
  char One(TimeUs time) {
    switch (clock_.Offer(time)) {
      case SourceClock::Decision::kAccept:
        clock_.Accept(time);
        return 'a';
      case SourceClock::Decision::kHold:
        held_.push_back(time);
        return 'h';
      case SourceClock::Decision::kReleaseHeld:
        for (const TimeUs held : held_) clock_.Accept(held);
        held_.clear();
        clock_.Accept(time);
        return 'r';
      case SourceClock::Decision::kDropHeld:
        held_.clear();
        clock_.Accept(time);
        return 'd';
    }
    return '?';
  }

  SourceClock clock_;
  std::vector<TimeUs> held_;
};

TEST(SourceClock, GuardsAgainstWrongTimes) {
  struct Case {
    std::string name;
    Trust trust;
    std::vector<std::int64_t> seconds;
    std::string decisions;
    std::int64_t now;
  };
  const std::vector<Case> cases = {
      {"the first record is believed", Trust::kProducerTime, {1'000'000}, "a", 1'000'000},
      {"a minute is no jump", Trust::kProducerTime, {0, 60, 120}, "aaa", 120},
      {"a jump waits for two more", Trust::kProducerTime, {0, 61, 62, 63, 64}, "ahhra", 64},
      {"beyond is enough, order is not asked", Trust::kProducerTime, {0, 500, 61, 90}, "ahhr", 500},
      {"an earlier time drops one", Trust::kProducerTime, {0, 500, 1, 2}, "ahda", 2},
      {"and two", Trust::kProducerTime, {0, 500, 501, 1}, "ahhd", 1},
      {"just within the guard is earlier", Trust::kProducerTime, {0, 500, 60}, "ahd", 60},
      {"then the count begins anew", Trust::kProducerTime, {0, 500, 1, 501, 502, 2}, "ahdhhd", 2},
      {"going back moves nothing", Trust::kProducerTime, {100, 0, 50}, "aaa", 100},
      {"from the highest, not the last", Trust::kProducerTime, {100, 0, 160}, "aaa", 160},
      {"append time is trusted", Trust::kAppendTime, {0, 100'000, 5, 1'000'000}, "aaaa", 1'000'000},
  };
  for (const Case& c : cases) {
    Driver driver(c.trust);
    EXPECT_EQ(driver.Feed(c.seconds), c.decisions) << c.name;
    EXPECT_EQ(driver.now(), c.now) << c.name;
  }
}

TEST(SourceClock, IsWiderForSparseInputs) {
  struct Case {
    std::string name;
    std::int64_t gap;    // seconds between records
    std::int64_t after;  // seconds from the last one to a record that is just accepted
  };
  const std::vector<Case> cases = {
      {"dense: a minute", 1, 60},
      {"three gaps are less than a minute", 19, 60},
      {"three gaps are a minute", 20, 60},
      {"three gaps are more", 50, 150},
      {"one an hour would never be believed otherwise", 3'600, 10'800},
  };
  for (const Case& c : cases) {
    for (const std::int64_t beyond : {0, 1}) {
      Driver driver(Trust::kProducerTime);
      std::int64_t second = 0;
      driver.Feed({second});
      // The first of a sparse input's gaps are jumps themselves.
      for (int i = 0; i < 12; ++i) driver.Feed({second += c.gap});
      ASSERT_EQ(driver.now(), second) << c.name;
      EXPECT_EQ(driver.Feed({second + c.after + beyond}), beyond == 0 ? "a" : "h") << c.name;
    }
  }
}

TEST(SourceClock, TakesTheMedianOfTheLastNineGaps) {
  Driver driver(Trust::kProducerTime);
  std::int64_t second = 0;
  driver.Feed({second});
  for (int i = 0; i < 30; ++i) driver.Feed({second += 40});
  // Four of nine gaps are short: the median is still 40 s. One more, and it is not.
  for (int i = 0; i < 4; ++i) driver.Feed({++second});
  SourceClock four = driver.clock();
  EXPECT_EQ(four.Offer(kStart + (second + 120) * kSecondUs), SourceClock::Decision::kAccept);
  driver.Feed({++second});
  EXPECT_EQ(driver.Feed({second + 61}), "h");
}

TEST(SourceClock, AnIdleCloseMovesItWithoutAGap) {
  Driver driver(Trust::kProducerTime);
  driver.Feed({0, 1, 2});
  driver.clock().AdvanceTo(kStart + 300 * kSecondUs);
  EXPECT_EQ(driver.now(), 300);
  driver.clock().AdvanceTo(kStart + 200 * kSecondUs);
  EXPECT_EQ(driver.now(), 300) << "never back";
  EXPECT_EQ(driver.Feed({330, 391}), "ah");
}

TEST(SourceClock, DecidesWhatWasHeldWhenTheTopicChangesToAppendTime) {
  for (const auto& [second, decision] :
       {std::pair<std::int64_t, std::string>{1, "d"}, {502, "r"}}) {
    Driver driver(Trust::kProducerTime);
    EXPECT_EQ(driver.Feed({0, 500}), "ah");
    driver.clock().set_trust(Trust::kAppendTime);
    EXPECT_EQ(driver.Feed({second, 90'000}), decision + "a");
    EXPECT_EQ(driver.now(), 90'000);
  }
}

TEST(SourceClock, ReadsBackItsText) {
  const std::vector<std::int64_t> probe = {61, 62, 40'000, 40'001, 3, 50'000, 50'001, 50'002};
  for (const Trust trust : {Trust::kAppendTime, Trust::kProducerTime}) {
    for (int records = 0; records < 40; ++records) {
      Driver driver(trust);
      for (int i = 0; i < records; ++i) driver.Feed({i * i});
      const std::string text = driver.clock().ToText();
      EXPECT_EQ(text.find(' '), std::string::npos) << "it is one word of a commit";
      EXPECT_LT(text.size(), 300u);
      Driver read(Trust::kProducerTime);
      ASSERT_TRUE(read.clock().FromText(text));
      EXPECT_EQ(read.clock().ToText(), text);
      EXPECT_EQ(read.clock().trust(), trust);
      EXPECT_EQ(read.Feed(probe), driver.Feed(probe));
      EXPECT_EQ(read.clock().ToText(), driver.clock().ToText());
    }
  }
}

TEST(SourceClock, RefusesOtherTexts) {
  Driver driver(Trust::kProducerTime);
  driver.Feed({0, 5, 9});
  const std::string good = driver.clock().ToText();
  std::vector<std::string> bad = {"",
                                  "x",
                                  "p",
                                  "p:",
                                  "a:1:2",
                                  good + " ",
                                  good + "0,",
                                  "z" + good,
                                  "p:1:1:99:0,0,0,0,0,0,0,0,0,",
                                  "p:1:1:-1:0,0,0,0,0,0,0,0,0,",
                                  "p:1:1:1:-5,0,0,0,0,0,0,0,0,",
                                  "p:1:1:1:99999999999999999,0,0,0,0,0,0,0,0,"};
  for (std::size_t size = 0; size < good.size(); ++size) bad.push_back(good.substr(0, size));
  for (const std::string& text : bad) {
    SourceClock clock(Trust::kAppendTime);
    EXPECT_FALSE(clock.FromText(text)) << text;
    EXPECT_FALSE(clock.started()) << text;
    EXPECT_EQ(clock.trust(), Trust::kAppendTime) << text;
  }
}

}  // namespace
}  // namespace tocsin

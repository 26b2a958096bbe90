#include "detectors/state_machine.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tocsin {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr DurationUs kPane = 10 * kSecondUs;

Verdict VerdictOf(char c) {
  switch (c) {
    case '!':
      return Verdict::kBreach;
    case '#':
      return Verdict::kCertain;
    case '-':
      return Verdict::kBetween;
    case '.':
      return Verdict::kClear;
    default:
      return Verdict::kUnknown;  // '~'
  }
}

struct Script {
  std::string warn = "", critical = "";  // a character a pane; empty: the level is not configured
  DurationUs warn_for = 0, critical_for = 0;
  DurationUs keep = 2 * kPane;
  std::string partial = "";     // 'p' where the pane is partial
  std::string suspicious = "";  // 's' where it is
  std::string covers = "";      // digit: panes that the reading covers
};

// "F0@3<1" is: fired at warn in pane 3, onset in pane 1; R raised, C cleared.
std::vector<std::string> Changes(const Script& script) {
  DetectorCommon common;
  common.level[0].set = !script.warn.empty();
  common.level[1].set = !script.critical.empty();
  common.level[0].hold = script.warn_for;
  common.level[1].hold = script.critical_for;
  common.keep_firing_for = script.keep;
  RuleState rule;
  std::vector<std::string> changes;
  for (std::size_t i = 0; i < std::max(script.warn.size(), script.critical.size()); ++i) {
    PaneContext pane;
    pane.start = static_cast<TimeUs>(i) * kPane;
    pane.end = pane.start + kPane;
    pane.partial = i < script.partial.size() && script.partial[i] == 'p';
    pane.firing = rule.firing();
    Reading reading;
    if (!script.warn.empty()) reading.level[0].verdict = VerdictOf(script.warn[i]);
    if (!script.critical.empty()) reading.level[1].verdict = VerdictOf(script.critical[i]);
    reading.suspicious = i < script.suspicious.size() && script.suspicious[i] == 's';
    if (i < script.covers.size()) reading.level[0].covers = (script.covers[i] - '0') * kPane;
    // Through bytes and back before every step.
    ByteWriter out;
    rule.Encode(&out);
    ByteReader in(out.view());
    rule = RuleState();
    rule.Decode(&in);
    EXPECT_TRUE(in.Done());
    const std::optional<RuleChange> change = rule.Step(common, pane, reading);
    if (!change) continue;
    const char kind = change->kind == SignalChangeKind::kFired    ? 'F'
                      : change->kind == SignalChangeKind::kRaised ? 'R'
                                                                  : 'C';
    changes.push_back(std::string(1, kind) + std::to_string(change->slot) + "@" +
                      std::to_string(i) + "<" + std::to_string(change->onset / kPane));
  }
  return changes;
}

TEST(RuleState, WithoutForFiresAtOnce) {
  EXPECT_THAT(Changes({.warn = "..!.."}), ElementsAre("F0@2<2", "C0@4<2"));
}

TEST(RuleState, ForCountsPanesThatBreach) {
  EXPECT_THAT(Changes({.warn = ".!!!", .warn_for = 3 * kPane}), ElementsAre("F0@3<1"));
  EXPECT_THAT(Changes({.warn = ".!!.!!.", .warn_for = 3 * kPane}), IsEmpty());
  EXPECT_THAT(Changes({.warn = ".!!-!!!", .warn_for = 3 * kPane}), ElementsAre("F0@6<4"));
}

TEST(RuleState, UnknownHoldsFor) {
  EXPECT_THAT(Changes({.warn = ".!~~~~~!!", .warn_for = 3 * kPane}), ElementsAre("F0@8<1"));
}

TEST(RuleState, UnknownNeverClears) {
  EXPECT_THAT(Changes({.warn = "!~~~~~~~~"}), ElementsAre("F0@0<0"));
  EXPECT_THAT(Changes({.warn = "!~.~~~."}), ElementsAre("F0@0<0", "C0@6<0"));
}

TEST(RuleState, CertainSkipsFor) {
  EXPECT_THAT(Changes({.warn = ".!#", .warn_for = kHourUs}), ElementsAre("F0@2<1"));
}

TEST(RuleState, BetweenKeepsFiring) {
  EXPECT_THAT(Changes({.warn = "!----."}), ElementsAre("F0@0<0"));
  EXPECT_THAT(Changes({.warn = "!.-.."}), ElementsAre("F0@0<0", "C0@4<0"));
  EXPECT_THAT(Changes({.warn = "!.!.."}), ElementsAre("F0@0<0", "C0@4<0"));
}

TEST(RuleState, BetweenKeepsFiringForAnHour) {
  const std::string hour(360, '-');
  EXPECT_THAT(Changes({.warn = "!" + hour + "-"}), ElementsAre("F0@0<0"));
  EXPECT_THAT(Changes({.warn = "!" + hour + "---"}), ElementsAre("F0@0<0", "C0@362<0"));
  // A breach begins it anew, what is unknown or partial says nothing.
  EXPECT_THAT(Changes({.warn = "!" + hour.substr(9) + "!---------"}), ElementsAre("F0@0<0"));
  EXPECT_THAT(Changes({.warn = "!" + hour.substr(9) + "~~~~~~~~~~"}), ElementsAre("F0@0<0"));
  EXPECT_THAT(Changes({.warn = "!" + hour + "--", .partial = "." + hour.substr(9) + "ppppppppp"}),
              ElementsAre("F0@0<0"));
  // A sample speaks for the panes before it.
  EXPECT_THAT(Changes({.warn = "!" + std::string(42, '-'), .covers = "0" + std::string(42, '9')}),
              ElementsAre("F0@0<0", "C0@42<0"));
}

TEST(RuleState, KeepFiringForZeroClearsAtTheFirstClearPane) {
  EXPECT_THAT(Changes({.warn = "!..", .keep = 0}), ElementsAre("F0@0<0", "C0@1<0"));
}

TEST(RuleState, RaisesButNeverLowers) {
  EXPECT_THAT(Changes({.warn = "!!!!!..", .critical = "..!...."}),
              ElementsAre("F0@0<0", "R1@2<0", "C1@6<0"));
  EXPECT_THAT(Changes({.warn = "!!!", .critical = "!.!"}), ElementsAre("F1@0<0"));
}

TEST(RuleState, EveryLevelMustBeClear) {
  EXPECT_THAT(Changes({.warn = "!....", .critical = ".~~~~"}), ElementsAre("F0@0<0"));
  EXPECT_THAT(Changes({.warn = "!....", .critical = "..-.."}), ElementsAre("F0@0<0", "C0@4<0"));
}

TEST(RuleState, PartialHoldsForAndClearsNothing) {
  EXPECT_THAT(Changes({.warn = "!!!!", .warn_for = 3 * kPane, .partial = ".p.."}),
              ElementsAre("F0@3<0"));
  EXPECT_THAT(Changes({.warn = "!!.!", .warn_for = 3 * kPane, .partial = "..p."}),
              ElementsAre("F0@3<0"));
  EXPECT_THAT(Changes({.warn = "!..", .partial = ".pp"}), ElementsAre("F0@0<0"));
  // What needs no `for` does not wait for a partition that is away.
  EXPECT_THAT(Changes({.warn = "!", .partial = "p"}), ElementsAre("F0@0<0"));
}

TEST(RuleState, ASampleCoversTheEmptyPanesBeforeIt) {
  // A gauge once a minute and `for: 2m`: the third sample fires.
  EXPECT_THAT(Changes({.warn = "!~~~~~!~~~~~!", .warn_for = 12 * kPane, .covers = "0000006000006"}),
              ElementsAre("F0@12<0"));
  // The first breach counts itself only.
  EXPECT_THAT(Changes({.warn = ".~~~~~!~~~~~!", .warn_for = 12 * kPane, .covers = "0000006000006"}),
              IsEmpty());
}

TEST(RuleState, OnsetIsWhereTheSuspicionBegan) {
  EXPECT_THAT(Changes({.warn = "....!!!", .warn_for = 3 * kPane, .suspicious = "..sssss"}),
              ElementsAre("F0@6<2"));
  // A suspicion that passed is forgotten.
  EXPECT_THAT(Changes({.warn = "....!!!", .warn_for = 3 * kPane, .suspicious = "ss..sss"}),
              ElementsAre("F0@6<4"));
  // One that goes on for ever begins anew every ten minutes.
  EXPECT_THAT(Changes({.warn = std::string(100, '-') + "!", .suspicious = std::string(101, 's')}),
              ElementsAre("F0@100<61"));
}

TEST(RuleState, PendingSinceIsKeptWhileItLasts) {
  DetectorCommon common;
  common.level[0] = {.set = true, .hold = kMinuteUs};
  RuleState rule;
  PaneContext pane = {.start = 0, .end = kPane};
  Reading reading;
  reading.level[0].verdict = Verdict::kBreach;
  rule.Step(common, pane, reading);
  EXPECT_EQ(rule.pending_since(), 0);
  reading.level[0].verdict = Verdict::kClear;
  rule.Step(common, pane, reading);
  EXPECT_EQ(rule.pending_since(), kNoTime);
}

TEST(RuleState, IsSmall) { EXPECT_LE(sizeof(RuleState), 80u); }

// When what fires began, in panes: of a reading a pane. A level breaches from pane 4 on.
OnsetInterval Began(const std::vector<Reading>& readings) {
  DetectorCommon common;
  common.level[0].set = true;
  RuleState rule;
  for (std::size_t i = 0; i < readings.size(); ++i) {
    PaneContext pane;
    pane.start = static_cast<TimeUs>(i) * kPane;
    pane.end = pane.start + kPane;
    ByteWriter out;
    rule.Encode(&out);
    ByteReader in(out.view());
    rule = RuleState();
    rule.Decode(&in);
    const std::optional<RuleChange> change = rule.Step(common, pane, readings[i]);
    if (change) return {change->began.earliest / kPane, change->began.latest / kPane};
  }
  return {};
}

std::vector<Reading> Quiet(std::size_t panes) {
  std::vector<Reading> readings(panes);
  for (Reading& reading : readings) reading.level[0].verdict = Verdict::kClear;
  return readings;
}

TEST(RuleState, ItBeganInThePaneThatBreachedFirst) {
  std::vector<Reading> readings = Quiet(5);
  readings[4].level[0].verdict = Verdict::kBreach;
  EXPECT_EQ(Began(readings), (OnsetInterval{4, 5}));
}

TEST(RuleState, OfAGaugeItBeganSinceTheSampleBefore) {
  std::vector<Reading> readings = Quiet(5);
  for (int i = 1; i < 4; ++i)
    readings[static_cast<std::size_t>(i)].level[0].verdict = Verdict::kUnknown;
  readings[4].level[0] = {.verdict = Verdict::kBreach, .covers = 4 * kPane};
  EXPECT_EQ(Began(readings), (OnsetInterval{1, 5}));
}

TEST(RuleState, AKindThatKnowsBetterSaysWhenItBegan) {
  std::vector<Reading> readings = Quiet(6);
  // As it said when the suspicion began; later it can only say the same less well.
  readings[3].suspicious = readings[4].suspicious = readings[5].suspicious = true;
  readings[3].began = {kPane, 2 * kPane};
  readings[4].began = readings[5].began = {3 * kPane, 4 * kPane};
  readings[5].level[0].verdict = Verdict::kBreach;
  EXPECT_EQ(Began(readings), (OnsetInterval{1, 2}));
  // A suspicion that came to nothing is forgotten.
  readings[4].suspicious = false;
  EXPECT_EQ(Began(readings), (OnsetInterval{3, 4}));
}

TEST(RuleState, ASuspicionThatLastsForLongSaysLittleOfWhenItBegan) {
  std::vector<Reading> readings = Quiet(101);
  for (Reading& reading : readings) {
    reading.suspicious = true;
    reading.began = {0, kPane};
  }
  readings[100].level[0].verdict = Verdict::kBreach;
  EXPECT_EQ(Began(readings), (OnsetInterval{1, 62}));
}

TEST(RuleState, ReadsWhatTheLastReleaseWrote) {
  DetectorCommon common;
  common.level[1] = {.set = true};
  common.keep_firing_for = kPane;
  ByteWriter out;
  for (const std::int64_t value : {std::int64_t{0}, kNoTime, 5 * kPane, 7 * kPane, kNoTime,
                                   std::int64_t{1}, 7 * kPane, std::int64_t{0}}) {
    out.Signed(value);
  }
  RuleState rule;
  ByteReader in(out.view(), 5);
  rule.Decode(&in);
  EXPECT_TRUE(in.Done());
  EXPECT_EQ(rule.firing_slot(), 1);
  Reading reading;
  reading.level[1].verdict = Verdict::kClear;
  const auto change = rule.Step(common, {.start = 20 * kPane, .end = 21 * kPane}, reading);
  ASSERT_TRUE(change.has_value());
  EXPECT_EQ(change->onset, 7 * kPane);
}

TEST(RuleState, RefusesForeignBytes) {
  ByteWriter out;
  for (int i = 0; i < 5; ++i) out.Signed(0);
  out.Signed(7);
  ByteReader in(out.view());
  RuleState rule;
  rule.Decode(&in);
  EXPECT_FALSE(in.ok());
}

}  // namespace
}  // namespace tocsin

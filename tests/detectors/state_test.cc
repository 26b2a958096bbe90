#include <optional>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/detectors/harness.h"

namespace tocsin {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

Event Alarm(AlarmState state, std::optional<double> cvss = std::nullopt) {
  Event event;
  event.type = EventType::kAlarm;
  event.state = state;
  event.cvss = cvss;
  event.Normalize();
  return event;
}

Event Check(bool failed) {
  Event event;
  event.type = EventType::kCheck;
  event.outcome = failed ? Outcome::kFailure : Outcome::kSuccess;
  event.Normalize();
  return event;
}

void Silence(Harness* harness, int panes) {
  for (int i = 0; i < panes; ++i) harness->Pane({});
}

TEST(State, NoTargetAndThreeFailedChecksMeanDown) {
  struct Case {
    const char* stanza;
    double value;
    bool down;
  };
  for (const Case& c :
       {Case{"where: {type: metric}\ncritical: {below: 2}\n", 0, true},
        Case{"where: {type: metric}\ncritical: {below: 2}\n", 1, false},
        Case{"where: {type: check}\ncritical: {failures: 3}\n", 3, true},
        Case{"where: {type: check}\ncritical: {failures: 2}\n", 2, false},
        Case{"critical: {level: 1}\n", 9, false}, Case{"critical: {cvss_above: 5}\n", 9, false}}) {
    const Harness harness(std::string("name: s\nkind: state\n") + c.stanza);
    Signal signal;
    signal.value = c.value;
    EXPECT_EQ(harness.detector().MeansDown(signal), c.down) << c.stanza << c.value;
  }
}

TEST(State, AnAlarmLastsUntilItIsOk) {
  Harness harness("name: s\nkind: state\ncritical: {level: 2}\n");
  Silence(&harness, 3);
  harness.Pane({Alarm(AlarmState::kAlarm)});
  EXPECT_THAT(harness.fired(), ElementsAre(3));
  Silence(&harness, kHour);
  harness.Pane({Alarm(AlarmState::kUnknown)});
  Silence(&harness, kHour);
  EXPECT_TRUE(harness.rule().firing());
  const int end = harness.now();
  harness.Pane({Alarm(AlarmState::kOk)});
  Silence(&harness, 2 * kMinute);
  EXPECT_EQ(harness.ClearedAt(), end + kMinute - 1);
  EXPECT_EQ(harness.fired().size(), 1u);
}

TEST(State, ForCountsWhileTheAlarmLasts) {
  Harness harness("name: s\nkind: state\nwarn: {for: 10m}\n");
  harness.Pane({Alarm(AlarmState::kAlarm)});
  Silence(&harness, 58);
  EXPECT_THAT(harness.changes(), IsEmpty());
  Silence(&harness, 1);
  EXPECT_THAT(harness.fired(), ElementsAre(59));

  Harness brief("name: s\nkind: state\nwarn: {for: 10m}\n");
  for (int i = 0; i < 5; ++i) {
    brief.Pane({Alarm(AlarmState::kAlarm)});
    Silence(&brief, 50);
    brief.Pane({Alarm(AlarmState::kOk)});
    Silence(&brief, 5);
  }
  EXPECT_THAT(brief.changes(), IsEmpty());
}

TEST(State, AnAlarmWithoutAStateHasBegun) {
  Harness harness("name: s\nkind: state\ncritical: {}\n");
  harness.Pane({Alarm(AlarmState::kNone)});
  EXPECT_THAT(harness.fired(), ElementsAre(0));
}

TEST(State, AnOldAlarmThatComesLateChangesNothing) {
  const std::unique_ptr<Detector> detector = [] {
    ErrorList errors;
    return MakeDetector("name: s\nkind: state\ncritical: {}\n", &errors);
  }();
  const TableLayout layout = TableLayout::Of(detector->Spec().measures);
  std::vector<MeasureSlot> slots;
  for (const Measure& measure : detector->Spec().measures) slots.push_back(layout.SlotOf(measure));
  const std::unique_ptr<SeriesState> state = detector->NewSeries();
  const auto verdict = [&](TimeUs time, AlarmState alarm) {
    PaneTable table(&layout);
    Event event = Alarm(alarm);
    event.time = time;
    table.Accumulate(table.Row(""), event);
    SpecCells cells;
    cells.slots = &slots;
    cells.cell = table.Cell(0);
    return state->Update(PaneContext(), cells).level[1].verdict;
  };
  EXPECT_EQ(verdict(kStart + 60 * kSecondUs, AlarmState::kOk), Verdict::kClear);
  EXPECT_EQ(verdict(kStart, AlarmState::kAlarm), Verdict::kClear);
  EXPECT_EQ(verdict(kStart + 61 * kSecondUs, AlarmState::kAlarm), Verdict::kBreach);
}

TEST(State, ChecksThatFailInARow) {
  const char* const rule = "name: s\nkind: state\nwhere: {type: check}\ncritical: {failures: 3}\n";
  Harness harness(rule);
  for (int i = 0; i < 10; ++i) {
    harness.Pane({Check(true)});
    harness.Pane({Check(true), Check(false)});
    Silence(&harness, 2);
  }
  EXPECT_THAT(harness.changes(), IsEmpty());
  harness.Pane({Check(false)});
  const int start = harness.now();
  harness.Pane({Check(true)});
  Silence(&harness, 2);
  harness.Pane({Check(true), Check(true)});
  EXPECT_THAT(harness.fired(), ElementsAre(start + 3));
  EXPECT_EQ(harness.changes()[0].value, 3);
  for (int i = 0; i < kMinute; ++i) harness.Pane({Check(false)});
  EXPECT_TRUE(harness.ClearedAt().has_value());
  Signal signal;
  signal.series = {{"name", "/health"}};
  signal.value = signal.threshold = 3;
  EXPECT_EQ(harness.detector().Title(signal), "name=/health failed 3 times in a row");
}

TEST(State, AGaugeThatFallsTooLow) {
  Harness harness("name: s\nkind: state\nwhere: {name: healthy_targets}\ncritical: {below: 1}\n");
  const auto sample = [&](double value) {
    Event event = GaugeSample(value, 2);
    event.Set(Field::kName, "healthy_targets");
    harness.Pane({event});
  };
  for (int i = 0; i < 10; ++i) sample(i % 2 + 1);
  EXPECT_THAT(harness.changes(), IsEmpty());
  sample(0);
  EXPECT_THAT(harness.fired(), ElementsAre(10));
  Silence(&harness, kHour);
  EXPECT_TRUE(harness.rule().firing());
  for (int i = 0; i < kMinute; ++i) sample(2);
  EXPECT_TRUE(harness.ClearedAt().has_value());
}

TEST(State, ASevereVulnerability) {
  Harness harness("name: s\nkind: state\ncritical: {cvss_above: 9.0, level: 1}\n");
  harness.Pane({Alarm(AlarmState::kAlarm, 9.0)});
  harness.Pane({Alarm(AlarmState::kAlarm)});
  EXPECT_THAT(harness.changes(), IsEmpty());
  harness.Pane({Alarm(AlarmState::kAlarm, 9.8)});
  EXPECT_THAT(harness.fired(), ElementsAre(2));
  EXPECT_EQ(harness.detector().common().category, Category::kSecurity);
  Silence(&harness, 10);
  EXPECT_FALSE(harness.ClearedAt().has_value());
  harness.Pane({Alarm(AlarmState::kOk, 9.8)});  // said once, as most sources do
  Silence(&harness, kMinute);
  EXPECT_TRUE(harness.ClearedAt().has_value());
}

TEST(State, LevelsMustAgree) {
  EXPECT_THAT(ErrorsOf("name: x\nkind: state\nwarn: {below: 1}\ncritical: {cvss_above: 9}\n"),
              testing::Contains(HasSubstr("must use the same key")));
  EXPECT_THAT(ErrorsOf("name: x\nkind: state\nwarn: {cvss_above: 11}\n"),
              ElementsAre(HasSubstr("cvss_above")));
}

}  // namespace
}  // namespace tocsin

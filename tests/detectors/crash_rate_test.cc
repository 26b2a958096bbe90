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

const std::string kCrashes = R"(name: crashes
kind: crash_rate
by: [app]
critical: {above: 1%, window: 5m, for: 5m, level: 2}
)";

// Panes of 200 sessions, or so many, of which some crash.
void Sessions(Harness* harness, int panes, int crashes, int sessions = 200) {
  for (int i = 0; i < panes; ++i) {
    std::vector<Event> events;
    for (int k = 0; k < sessions; ++k) {
      const bool crashed = k < crashes;
      events.push_back(Session(crashed, k % 4 == 0 ? "4.2.0" : "4.1.9",
                               crashed ? "NSInvalidArgumentException" : ""));
    }
    harness->Pane(std::move(events));
  }
}

// One crash of 400 sessions, as on any day.
void Usual(Harness* harness, int panes) {
  for (int i = 0; i < panes; i += 2) {
    Sessions(harness, 1, 1);
    Sessions(harness, 1, 0);
  }
}

TEST(CrashRate, NamesVersionAndException) {
  Harness harness(kCrashes);
  Usual(&harness, kHour);
  EXPECT_THAT(harness.changes(), IsEmpty());
  Sessions(&harness, 10 * kMinute, 5);
  ASSERT_EQ(harness.fired().size(), 1u);
  EXPECT_THAT(harness.EvidenceOf("top", "exception"), HasSubstr("NSInvalidArgumentException"));
  EXPECT_THAT(harness.EvidenceOf("top", "version"), HasSubstr("4.2.0"));
  Signal signal;
  signal.series = {{"app", "shop-ios"}};
  signal.value = 0.025;
  signal.threshold = 0.01;
  EXPECT_EQ(harness.detector().Title(signal),
            "crash rate of app=shop-ios is 2.5 % (above 1 % over 5m)");
  Usual(&harness, 10 * kMinute);
  EXPECT_TRUE(harness.ClearedAt().has_value());
}

TEST(CrashRate, JustBelowStaysSilent) {
  Harness harness(kCrashes);
  Usual(&harness, 3 * kHour);
  for (int i = 0; i < 12; ++i) {
    Sessions(&harness, 3 * kMinute, 10);  // above, but not for five minutes
    Usual(&harness, 20 * kMinute);
  }
  EXPECT_THAT(harness.fired(), IsEmpty());
}

// Two crashes by chance, four minutes of none, and a burst: that is not five minutes of it.
TEST(CrashRate, ABurstAfterTwoByChanceWaits) {
  Harness harness(kCrashes);
  harness.check_copy = false;
  for (int i = 0; i < 3 * kHour; ++i) Sessions(&harness, 1, i % 16 == 0 ? 1 : 0, 25);
  harness.check_copy = true;
  Sessions(&harness, 5 * kMinute, 0, 25);
  Sessions(&harness, 2, 1, 25);
  Sessions(&harness, 4 * kMinute, 0, 25);
  Sessions(&harness, 4, 3, 25);
  EXPECT_THAT(harness.fired(), IsEmpty());
  Sessions(&harness, 4 * kMinute, 3, 25);
  EXPECT_EQ(harness.fired().size(), 1u);
}

TEST(CrashRate, NeedsAShare) {
  EXPECT_THAT(ErrorsOf("name: x\nkind: crash_rate\nwarn: {window: 5m}\n"),
              ElementsAre(HasSubstr("needs 'above'")));
}

}  // namespace
}  // namespace tocsin

#include <random>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/detectors/harness.h"

namespace tocsin {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const char* const kSlo = R"(name: slo
kind: burn_rate
by: [service]
objective: 99.9%
warn: {level: 3}
critical: {level: 2}
)";

TEST(BurnRate, PagesWhenTheBudgetIsGoneInDays) {
  Harness harness(kSlo);
  harness.RequestsPerMinute(2 * kHour, 0, 600);
  EXPECT_THAT(harness.changes(), IsEmpty());
  const int start = harness.now();
  harness.RequestsPerMinute(kHour, 30, 600);  // 5 %: 50 times the budget
  ASSERT_TRUE(harness.FiredAt(1).has_value());
  // 14.4 of 50 times: once that share of the hour has failed.
  EXPECT_NEAR(*harness.FiredAt(1) - start, 0.288 * kHour, 0.03 * kHour);
  EXPECT_EQ(harness.EvidenceOf("threshold", "burn_rate"), "14.4");
  Signal signal;
  signal.series = {{"service", "api"}};
  signal.value = 50;
  signal.threshold = 14.4;
  EXPECT_EQ(harness.detector().Title(signal),
            "the error budget of service=api burns at 50 times its rate (14.4 is the limit)");
  // The slower pair's short window is half an hour.
  harness.RequestsPerMinute(40 * kMinute, 0, 600);
  EXPECT_FALSE(harness.ClearedAt().has_value());  // three days take longer to forget it: a ticket
  harness.RequestsPerMinute(7 * kHour, 0, 600);
  EXPECT_TRUE(harness.ClearedAt().has_value());
}

TEST(BurnRate, ASlowBurnIsATicket) {
  Harness harness(kSlo);
  harness.check_copy = false;
  std::mt19937_64 random(1);
  std::binomial_distribution<int> failed(100, 0.002);
  for (int i = 0; i < 24 * kHour && !harness.FiredAt(0); ++i) {
    harness.Requests(1, failed(random), 100);
  }
  EXPECT_TRUE(harness.FiredAt(0).has_value());
  EXPECT_FALSE(harness.FiredAt(1).has_value());
}

TEST(BurnRate, NearMisses) {
  Harness within(kSlo), few(kSlo);
  within.check_copy = few.check_copy = false;
  std::mt19937_64 random(2);
  std::binomial_distribution<int> failed(100, 0.0006);
  for (int i = 0; i < 3 * 24 * kHour; ++i) within.Requests(1, failed(random), 100);
  EXPECT_THAT(within.changes(), IsEmpty());
  for (int i = 0; i < 10; ++i) {  // one failure of two requests, by itself in all windows
    few.Requests(1, 1, 2);
    few.Requests(73 * kHour, 0, 0);
  }
  EXPECT_THAT(few.changes(), IsEmpty());
}

TEST(BurnRate, APairOfOnesOwn) {
  Harness harness(
      "name: s\nkind: burn_rate\nobjective: 99%\n"
      "critical: {rate: 10, long: 30m, short: 5m}\n");
  harness.RequestsPerMinute(kHour, 0, 120);
  harness.RequestsPerMinute(30 * kMinute, 60, 120);
  EXPECT_TRUE(harness.FiredAt(1).has_value());
  const std::string stanza = "name: s\nkind: burn_rate\n";
  EXPECT_THAT(ErrorsOf(stanza + "warn: {}\n"), ElementsAre(HasSubstr("objective")));
  EXPECT_THAT(ErrorsOf(stanza + "objective: 99%\nwarn: {rate: 3}\n"),
              ElementsAre(HasSubstr("'rate', 'long' and 'short'")));
  EXPECT_THAT(ErrorsOf(stanza + "objective: 99%\nwarn: {rate: 3, long: 1h, short: 1h}\n"),
              Contains(HasSubstr("not shorter")));
}

// What burnt is forgotten after three days, not earlier and hardly later.
TEST(BurnRate, RemembersThreeDays) {
  Harness harness(
      "name: s\nkind: burn_rate\nobjective: 99%\nwarn: {rate: 1, long: 3d, short: 6h}\n");
  harness.check_copy = false;
  const auto failed = [&] { return harness.EvidenceOf("samples", "failed"); };
  harness.Requests(kHour, 100, 1000);
  EXPECT_EQ(failed(), "36000");
  for (const int hours : {5, 12, 24, 27}) {
    harness.Requests(hours * kHour, 0, 1000);
    EXPECT_EQ(failed(), "36000") << hours;
  }
  harness.Requests(7 * kHour, 0, 1000);  // 76 h since it began
  EXPECT_EQ(failed(), "0");
  harness.Requests(1, 7, 1000);
  harness.check_copy = true;
  harness.Requests(1, 0, 1000);
  EXPECT_EQ(failed(), "7");
}

// A pair over six hours: a burst leaves it evenly within a slot of 20 min.
TEST(BurnRate, RemembersSixHours) {
  Harness harness(
      "name: s\nkind: burn_rate\nobjective: 99%\nwarn: {rate: 1, long: 6h, short: 1h}\n");
  harness.check_copy = false;
  harness.Requests(kMinute, 100, 1000);
  harness.Requests(5 * kHour + 39 * kMinute, 0, 1000);
  EXPECT_EQ(harness.EvidenceOf("samples", "failed"), "600");
  harness.Requests(42 * kMinute, 0, 1000);
  EXPECT_EQ(harness.EvidenceOf("samples", "failed"), "0");
}

}  // namespace
}  // namespace tocsin

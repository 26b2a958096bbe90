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

const std::string kPayments = R"(name: payments
kind: success_ratio
where: {name: payment}
by: [service]
critical: {below: 50%, window: 5m, for: 1m, level: 2}
)";

void Payments(Harness* harness, int panes, int failed, int total) {
  for (int i = 0; i < panes; ++i) {
    std::vector<Event> events;
    for (int k = 0; k < total; ++k) events.push_back(Payment(k < failed));
    harness->Pane(std::move(events));
  }
}

TEST(SuccessRatio, FiresBelowAndSpeaksOfSuccesses) {
  Harness harness(kPayments);
  Payments(&harness, kHour, 1, 20);  // 95 % succeed
  EXPECT_THAT(harness.changes(), IsEmpty());
  const int start = harness.now();
  Payments(&harness, 10 * kMinute, 15, 20);
  ASSERT_EQ(harness.fired().size(), 1u);
  EXPECT_LE(harness.fired()[0], start + 5 * kMinute);
  EXPECT_LE(harness.changes()[0].value, 0.5);
  EXPECT_EQ(harness.EvidenceOf("threshold", "rate"), "0.5");
  EXPECT_THAT(harness.EvidenceOf("panes", "rate"), HasSubstr("0.25,0.25"));
  EXPECT_THAT(harness.EvidenceOf("top", "name"), HasSubstr("payment"));
  Signal signal;
  signal.series = {{"service", "pay"}};
  signal.value = 0.25;
  signal.threshold = 0.5;
  EXPECT_EQ(harness.detector().Title(signal),
            "success ratio of service=pay is 25 % (below 50 % over 5m)");
  Payments(&harness, 10 * kMinute, 1, 20);
  EXPECT_TRUE(harness.ClearedAt().has_value());
}

TEST(SuccessRatio, NearMisses) {
  Harness half(kPayments);  // 60 % succeed, all day
  Payments(&half, 3 * kHour, 8, 20);
  EXPECT_THAT(half.changes(), IsEmpty());
  Harness few(kPayments);  // one of two fails
  Payments(&few, 3, 0, 0);
  Payments(&few, 1, 1, 2);
  Payments(&few, kHour, 0, 0);
  EXPECT_THAT(few.changes(), IsEmpty());
}

TEST(SuccessRatio, AllFailingAtTenAMinuteFiresWithinThreeMinutes) {
  Harness harness("name: p\nkind: success_ratio\ncritical: {below: 50%, window: 1m}\n");
  for (int i = 0; i < kHour; ++i) Payments(&harness, 1, 0, i % 6 == 5 ? 5 : 1);
  const int start = harness.now();
  for (int i = 0; i < 3 * kMinute; ++i) {
    const int count = i % 6 == 5 ? 5 : 1;
    Payments(&harness, 1, count, count);
  }
  ASSERT_FALSE(harness.fired().empty());
  EXPECT_LT(harness.fired()[0], start + 3 * kMinute);
}

TEST(SuccessRatio, NamesWhatIsWrong) {
  EXPECT_THAT(ErrorsOf("name: x\nkind: success_ratio\nwarn: {window: 5m}\n"),
              ElementsAre(HasSubstr("needs 'below'")));
  EXPECT_THAT(ErrorsOf("name: x\nkind: success_ratio\nwarn: {below: 50%, clear: 40%}\n"),
              ElementsAre(HasSubstr("smaller than below")));
}

}  // namespace
}  // namespace tocsin

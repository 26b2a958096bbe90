#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/detectors/harness.h"

namespace tocsin {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

const std::string kErrors = R"(name: errors
kind: rate
by: [service]
warn: {above: 5, for: 5m, level: 3}
critical: {above: 50, clear: 20, level: 2}
)";

Event Counter(std::string_view host, double value, MetricType type = MetricType::kCounter) {
  Event event;
  event.type = EventType::kMetric;
  event.metric_type = type;
  event.Set(Field::kService, "api");
  event.Set(Field::kHost, host);
  event.value = value;
  return event;
}

// Two hosts, each scraped once in `every` panes, which count `per_second` together.
class Traffic {
 public:
  explicit Traffic(Harness* harness, int every = 1) : harness_(*harness), every_(every) {}

  void Run(int panes, double per_second) {
    for (int i = 0; i < panes; ++i) {
      first_ += 0.75 * per_second * 10;
      second_ += 0.25 * per_second * 10;
      std::vector<Event> events;
      if (pane_ % every_ == 0) events.push_back(Counter("a", first_));
      if ((pane_ + every_ / 2) % every_ == 0) events.push_back(Counter("b", second_));
      ++pane_;
      harness_.Pane(events);
    }
  }
  void RestartFirst() { first_ = 0; }

 private:
  Harness& harness_;
  const int every_;
  int pane_ = 0;
  double first_ = 1e9, second_ = 17;
};

TEST(Rate, CriticalOnceTheWindowIsFullWarnAfterFor) {
  Harness harness(kErrors);
  Traffic traffic(&harness);
  traffic.Run(30, 4);
  EXPECT_THAT(harness.changes(), IsEmpty());
  const int start = harness.now();
  traffic.Run(6, 10);
  EXPECT_THAT(harness.changes(), IsEmpty()) << "not for five minutes yet";
  traffic.Run(30, 10);
  // 5 a second over the minute since the first of them, hence for five minutes at the 30th.
  EXPECT_EQ(harness.FiredAt(0), start + 29);
  const int worse = harness.now();
  traffic.Run(kMinute, 60);
  EXPECT_EQ(harness.FiredAt(1), worse + 4) << "5 of 6 panes with 60 and one with 10";
  EXPECT_EQ(harness.changes().back().value, 310.0 / 6);
}

TEST(Rate, ClearsBelowClear) {
  Harness harness(kErrors);
  Traffic traffic(&harness);
  traffic.Run(10, 100);
  ASSERT_TRUE(harness.rule().firing());
  traffic.Run(60, 30);
  EXPECT_TRUE(harness.rule().firing());
  traffic.Run(60, 1);
  EXPECT_FALSE(harness.rule().firing());
}

TEST(Rate, RestartsAreNoIncrease) {
  Harness harness(kErrors);
  Traffic traffic(&harness);
  for (int i = 0; i < 10; ++i) {
    traffic.Run(20, 3);
    traffic.RestartFirst();
  }
  EXPECT_THAT(harness.changes(), IsEmpty());
  // What it counted since it began again does count.
  Harness busy(kErrors);
  Traffic restarting(&busy);
  for (int i = 0; i < 10; ++i) {
    restarting.Run(3, 100);
    restarting.RestartFirst();
  }
  EXPECT_TRUE(busy.FiredAt(1));
  EXPECT_THAT(busy.EvidenceOf("samples", "resets"), HasSubstr("9"));
  EXPECT_THAT(busy.EvidenceOf("samples", "sources"), HasSubstr("2"));
}

TEST(Rate, ScrapedOnceAMinute) {
  Harness quiet(kErrors);
  Traffic(&quiet, kMinute).Run(kHour, 4);
  EXPECT_THAT(quiet.changes(), IsEmpty());
  Harness harness(kErrors);
  Traffic(&harness, kMinute).Run(kHour, 6);
  EXPECT_TRUE(harness.FiredAt(0));
  EXPECT_EQ(harness.FiredAt(1), std::nullopt);
}

TEST(Rate, WhatWasCountedBeforeSaysNothing) {
  Harness harness(kErrors);
  for (int i = 0; i < 20; ++i) harness.Pane({Counter("a", 1e6)});
  // A new process, and one that was silent for more than five minutes.
  harness.Pane({Counter("a", 1e6), Counter("b", 1e6)});
  for (int i = 0; i < 31; ++i) harness.Pane({Counter("a", 1e6)});
  harness.Pane({Counter("a", 1e6), Counter("b", 2e6)});
  EXPECT_THAT(harness.changes(), IsEmpty());
  harness.Pane({Counter("a", 1e6), Counter("b", 2e6 + 6'000)});
  EXPECT_TRUE(harness.FiredAt(1));
}

TEST(Rate, DeltasAndGaugesCount) {
  Harness deltas(kErrors);
  for (int i = 0; i < 10; ++i) deltas.Pane({Counter("a", 600, MetricType::kDelta)});
  EXPECT_EQ(deltas.FiredAt(1), 6);
  // Telegraf does not say that its counters are.
  Harness gauges(kErrors);
  for (int i = 0; i < 10; ++i) gauges.Pane({Counter("a", 600 * i, MetricType::kGauge)});
  EXPECT_EQ(gauges.FiredAt(1), 6);
}

TEST(Rate, NoDataAndPartialTicksDecideNothing) {
  Harness harness(kErrors);
  Traffic traffic(&harness);
  traffic.Run(10, 100);
  ASSERT_TRUE(harness.rule().firing());
  for (int i = 0; i < 60; ++i) harness.Pane({});
  EXPECT_TRUE(harness.rule().firing());
  Harness partial(kErrors);
  Traffic other(&partial);
  partial.partial = true;
  other.Run(60, 100);
  EXPECT_THAT(partial.changes(), IsEmpty());
}

TEST(Rate, Errors) {
  EXPECT_THAT(ErrorsOf("name: e\nkind: rate\nwarn: {}\n"),
              testing::ElementsAre(HasSubstr("rate needs 'above'")));
  EXPECT_THAT(ErrorsOf("name: e\nkind: rate\nwarn: {above: 1, window: 2h}\n"),
              testing::ElementsAre(HasSubstr("expected at most 1h")));
  EXPECT_THAT(ErrorsOf("name: e\nkind: rate\nwarn: {above: 1, clear: 2}\n"),
              testing::ElementsAre(HasSubstr("clear is larger than above")));
}

}  // namespace
}  // namespace tocsin

#include "panes/counter_set.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "core/limits.h"

namespace tocsin {
namespace {

TEST(CounterValue, FollowsResets) {
  struct Case {
    std::string name;
    std::vector<double> values;
    double increase;
    std::int64_t resets;
  };
  const std::vector<Case> cases = {
      {"one sample says nothing", {5}, 0, 0},
      {"grows", {5, 7, 7, 12}, 7, 0},
      {"starts again from zero", {5, 9, 2, 3}, 4 + 2 + 1, 1},
      {"twice", {5, 0, 4, 1}, 0 + 4 + 1, 2},
  };
  for (const Case& c : cases) {
    CounterValue whole;
    for (std::size_t i = 0; i < c.values.size(); ++i) {
      whole.Add(static_cast<TimeUs>(i), c.values[i]);
    }
    EXPECT_EQ(whole.increase, c.increase) << c.name;
    EXPECT_EQ(whole.resets, c.resets) << c.name;
    EXPECT_EQ(whole.first, c.values.front()) << c.name;
    EXPECT_EQ(whole.last, c.values.back()) << c.name;
    // Cut anywhere and merged either way it is the same.
    for (std::size_t cut = 0; cut <= c.values.size(); ++cut) {
      CounterValue before, after;
      for (std::size_t i = 0; i < c.values.size(); ++i) {
        (i < cut ? before : after).Add(static_cast<TimeUs>(i), c.values[i]);
      }
      CounterValue merged = before;
      merged.Merge(after);
      EXPECT_EQ(merged, whole) << c.name << " cut at " << cut;
      after.Merge(before);
      EXPECT_EQ(after, whole) << c.name << " cut at " << cut << ", the later one first";
    }
  }
}

Event Sample(TimeUs time, double value, MetricType type = MetricType::kCounter) {
  Event event;
  event.type = EventType::kMetric;
  event.time = time;
  event.metric_type = type;
  event.value = value;
  event.Set(Field::kName, "requests");
  return event;
}

double IncreaseOf(const CounterSet& counters) {
  double total = 0;
  for (const auto& [source, counter] : counters.Sorted()) total += counter.increase;
  return total;
}

TEST(CounterSet, EachSourceByItself) {
  CounterSet counters;
  // Two processes, of which one is far ahead: taken as one they would reset with every sample.
  for (int i = 0; i < 4; ++i) {
    counters.Add(1, Sample(i, 1'000 + i));
    counters.Add(2, Sample(i, i));
  }
  EXPECT_EQ(IncreaseOf(counters), 6);
  EXPECT_EQ(counters.Sorted().size(), 2U);
}

TEST(CounterSet, DeltasAreIncreases) {
  CounterSet counters;
  for (const double value : {5.0, 1.0, 7.0, -3.0}) {
    counters.Add(1, Sample(0, value, MetricType::kDelta));
  }
  EXPECT_EQ(IncreaseOf(counters), 13);
}

TEST(CounterSet, MergesAndSurvivesEncoding) {
  CounterSet one, other;
  one.Add(1, Sample(0, 10));
  one.Add(2, Sample(0, 1, MetricType::kDelta));
  other.Add(1, Sample(5, 4));
  other.Add(2, Sample(5, 2, MetricType::kDelta));
  other.Add(3, Sample(5, 9));
  CounterSet merged = one;
  merged.Merge(other);
  EXPECT_EQ(IncreaseOf(merged), 4 + 3);
  CounterSet backwards = other;
  backwards.Merge(one);
  EXPECT_EQ(backwards, merged);
  ByteWriter out;
  merged.Encode(&out);
  ByteReader in(out.view());
  EXPECT_EQ(CounterSet::Decode(&in), merged);
  EXPECT_TRUE(in.Done());
  // Cut anywhere it is refused.
  for (std::size_t size = 0; size < out.size(); ++size) {
    ByteReader cut(out.view().substr(0, size));
    CounterSet::Decode(&cut);
    EXPECT_FALSE(cut.Done()) << size;
  }
}

TEST(CounterSet, IsBounded) {
  CounterSet counters;
  for (std::uint64_t source = 0; source < limits::kCounterSourcesMax + 10; ++source) {
    counters.Add(source, Sample(0, 1));
    counters.Add(source, Sample(1, 2));
  }
  EXPECT_EQ(counters.Sorted().size(), limits::kCounterSourcesMax);
  EXPECT_EQ(counters.dropped(), 20);
  CounterSet more;
  more.Add(limits::kCounterSourcesMax + 5, Sample(0, 1));
  counters.Merge(more);
  EXPECT_EQ(counters.dropped(), 21);
}

TEST(CounterSet, WhatMakesASource) {
  const LabelView code[] = {{"code", "200"}};
  const LabelView other_code[] = {{"code", "500"}};
  const auto source = [](auto change) {
    Event event = Sample(1, 2);
    change(event);
    return SourceOf(event);
  };
  const std::uint64_t plain = source([](Event&) {});
  EXPECT_EQ(source([](Event& e) { e.time = 9, e.value = 7; }), plain);
  EXPECT_EQ(source([](Event& e) { e.Set(Field::kTraceId, "t"); }), plain);
  EXPECT_NE(source([](Event& e) { e.Set(Field::kHost, "web-1"); }), plain);
  EXPECT_NE(source([&](Event& e) { e.labels = code; }), plain);
  EXPECT_NE(source([&](Event& e) { e.labels = code; }),
            source([&](Event& e) { e.labels = other_code; }));
  EXPECT_NE(source([](Event& e) { e.Set(Field::kHost, "ab"), e.Set(Field::kVersion, "c"); }),
            source([](Event& e) { e.Set(Field::kHost, "a"), e.Set(Field::kVersion, "bc"); }));
}

}  // namespace
}  // namespace tocsin

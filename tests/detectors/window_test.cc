#include "detectors/statistics/window.h"

#include <deque>
#include <random>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tocsin {
namespace {

template <typename Ring>
Ring Copy(const Ring& ring, Ring empty) {
  ByteWriter out;
  ring.Encode(&out);
  ByteReader in(out.view());
  empty.Decode(&in);
  EXPECT_TRUE(in.Done());
  return empty;
}

TEST(CountRing, IsExactForTenMinutes) {
  CountRing ring(2161);
  WindowSum five(0, 30), ten(0, 60), stretch(20, 45);
  std::deque<std::int64_t> panes(61, 0);
  std::mt19937_64 random(1);
  for (int i = 0; i < 500; ++i) {
    panes.push_front(static_cast<std::int64_t>(random() % 100));
    panes.pop_back();
    ring.Push(panes[0] / 2, panes[0]);
    for (WindowSum* sum : {&five, &ten, &stretch}) sum->Slide(ring);
    const auto sum_of = [&panes](int from, int to) {
      std::int64_t sum = 0;
      for (int age = from; age < to; ++age) sum += panes[static_cast<std::size_t>(age)];
      return sum;
    };
    ASSERT_EQ(five.total(), sum_of(0, 30));
    ASSERT_EQ(ten.total(), sum_of(0, 60));
    ASSERT_EQ(stretch.total(), sum_of(20, 45));
  }
}

// Six hours at a steady pace, then none for six hours: what is left of the window is exact at every
// age, for within a slot the counts are spread evenly.
TEST(CountRing, ALongWindowHasItsLength) {
  constexpr int kPanes = 2160;
  CountRing ring(kPanes + 1);
  WindowSum window(0, kPanes), older(kPanes / 4 * 3, kPanes);
  for (int i = 0; i < 2 * kPanes; ++i) {
    ring.Push(1, 10);
    window.Slide(ring);
    older.Slide(ring);
    const int seen = std::min(i + 1, kPanes);
    ASSERT_NEAR(static_cast<double>(window.total()), 10 * seen, 320) << i;
    ASSERT_NEAR(static_cast<double>(older.total()), 10 * std::max(0, seen - kPanes / 4 * 3),
                125 * 10)
        << i;
    ASSERT_LE(window.bad(), window.total());
  }
  EXPECT_NEAR(static_cast<double>(window.total()), 10 * kPanes, 1);
  EXPECT_NEAR(static_cast<double>(older.total()), 10 * kPanes / 4, 1);
  for (int i = 1; i < kPanes + 200; ++i) {
    ring.Push(0, 0);
    window.Slide(ring);
    // A slot that is half of the one time and half of the other is taken as even.
    ASSERT_NEAR(static_cast<double>(window.total()), 10 * std::max(0, kPanes - i), 320) << i;
  }
  EXPECT_EQ(window.total(), 0);
}

TEST(CountRing, ReadsWhatItWrote) {
  for (const int capacity : {10, 61, 62, 79, 200, 2161}) {
    CountRing ring(capacity);
    std::mt19937_64 random(7);
    for (int i = 0; i < 3 * capacity; ++i) {
      const auto total = static_cast<std::int64_t>(random() % 50);
      ring.Push(total / 3, total);
      if (i % 37 != 0) continue;
      CountRing copy = Copy(ring, CountRing(capacity));
      WindowSum ours(0, capacity - 1), theirs(0, capacity - 1);
      ours.Recount(ring);
      theirs.Recount(copy);
      EXPECT_EQ(ours.total(), theirs.total());
      EXPECT_EQ(ours.bad(), theirs.bad());
      EXPECT_EQ(ring.TotalsJson(), copy.TotalsJson());
    }
  }
}

// Slots of a single pane lose nothing.
TEST(CountRing, IsExactALittleBeyond) {
  CountRing ring(79);
  WindowSum window(0, 78);
  std::deque<std::int64_t> panes(78, 0);
  for (int i = 0; i < 300; ++i) {
    panes.push_front(i * 7919 % 101);
    panes.pop_back();
    ring.Push(0, panes[0]);
    window.Slide(ring);
    std::int64_t sum = 0;
    for (const std::int64_t pane : panes) sum += pane;
    ASSERT_EQ(window.total(), sum);
  }
}

}  // namespace
}  // namespace tocsin

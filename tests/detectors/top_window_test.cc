#include "detectors/statistics/top_window.h"

#include <map>
#include <random>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tocsin {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

using Entry = SpaceSaving::Entry;

SpaceSaving Sketch(const std::map<std::string, int>& pane) {
  SpaceSaving sketch(64);
  for (const auto& [key, count] : pane) sketch.Add(key, count);
  return sketch;
}

std::string Encoded(const TopWindow& window) {
  ByteWriter out;
  window.Encode(&out);
  return out.Take();
}

TEST(TopWindow, KeepsTwoStretches) {
  TopWindow window(8);
  window.Add(Sketch({{"a", 5}, {"b", 1}}));
  window.Add(Sketch({{"a", 5}}));
  EXPECT_THAT(window.Older().Top(9), IsEmpty());
  window.Rotate();
  window.Add(Sketch({{"b", 3}, {"c", 2}}));
  EXPECT_THAT(window.Merged().Top(9),
              ElementsAre(Entry{"a", 10, 0}, Entry{"b", 4, 0}, Entry{"c", 2, 0}));
  EXPECT_EQ(window.Merged().total(), 16);
  EXPECT_THAT(window.Older().Top(9), ElementsAre(Entry{"a", 10, 0}, Entry{"b", 1, 0}));
  EXPECT_EQ(window.Older().total(), 11);
  window.Rotate();
  EXPECT_THAT(window.Merged().Top(9), ElementsAre(Entry{"b", 3, 0}, Entry{"c", 2, 0}));
  window.ForgetOlder();
  EXPECT_TRUE(window.Merged().empty());
}

TEST(TopWindow, KeepsTheFrequentOnesAndTheShares) {
  TopWindow window(16);
  std::mt19937_64 random(1);
  for (int i = 0; i < 30; ++i) {
    if (i == 15) window.Rotate();
    std::map<std::string, int> pane = {{"half", 60}};
    for (int k = 0; k < 60; ++k) ++pane[std::to_string(random())];
    window.Add(Sketch(pane));
  }
  const SpaceSaving merged = window.Merged();
  EXPECT_EQ(merged.total(), 30 * 120);
  EXPECT_EQ(merged.Top(1)[0], (Entry{"half", 30 * 60, 0}));
  EXPECT_NEAR(merged.TopShare(1), 0.5, 1e-9);
  EXPECT_LE(merged.Top(99).size(), 16u);
}

TEST(TopWindow, CountsWhatIsGuaranteed) {
  SpaceSaving unsure(1);
  for (const char* key : {"a", "a", "b", "b", "b", "b"}) unsure.Add(key);
  const Entry top = unsure.Top(1)[0];
  ASSERT_GT(top.error, 0);
  TopWindow window(4);
  window.Add(unsure);
  EXPECT_THAT(window.Merged().Top(2), ElementsAre(Entry{"b", top.count - top.error, 0}));
  EXPECT_EQ(window.Merged().total(), 6);
}

TEST(TopWindow, ReadsWhatItWroteAndNothingElse) {
  TopWindow window(4);
  for (int i = 0; i < 7; ++i) {
    if (i == 4) window.Rotate();
    window.Add(Sketch({{"a", 300}, {"key " + std::to_string(i), 1}}));
  }
  const std::string bytes = Encoded(window);
  TopWindow copy(4);
  ByteReader in(bytes);
  copy.Decode(&in);
  EXPECT_TRUE(in.Done());
  EXPECT_EQ(Encoded(copy), bytes);
  for (TopWindow* each : {&window, &copy}) {
    each->Rotate();
    each->Add(Sketch({{"b", 2}}));
  }
  EXPECT_EQ(Encoded(copy), Encoded(window));
  TopWindow smaller(2);  // has no room for so many keys
  ByteReader of_larger(bytes);
  smaller.Decode(&of_larger);
  EXPECT_FALSE(of_larger.ok());
  EXPECT_THAT(smaller.Merged().Top(1), IsEmpty());
}

}  // namespace
}  // namespace tocsin

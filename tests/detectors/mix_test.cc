#include "detectors/statistics/mix.h"

#include <map>
#include <string>

#include <gtest/gtest.h>

namespace tocsin {
namespace {

Mix Of(const std::map<std::string, int>& counts, int rest = 0) {
  SpaceSaving top(64);
  for (const auto& [key, count] : counts) top.Add(key, count);
  if (rest > 0) top.AddOther(rest);
  return MixOf(top, MixKeyOf);
}

template <typename T>
std::string Encoded(const T& value) {
  ByteWriter out;
  value.Encode(&out);
  return out.Take();
}

TEST(AgentFamily, IsTheSameAfterARelease) {
  EXPECT_EQ(AgentFamily("ChatApp/7.1 (Android)"), AgentFamily("ChatApp/7.12.3 (Android)"));
  EXPECT_EQ(AgentFamily("Mozilla/5.0 (iPhone; CPU iPhone OS 17_3 like Mac OS X)"),
            AgentFamily("Mozilla/5.0 (iPhone; CPU iPhone OS 17_3_1 like Mac OS X)"));
  EXPECT_NE(AgentFamily("ChatApp/7.1 (Android)"), AgentFamily("ChatApp/7.1 (iOS)"));
  EXPECT_NE(AgentFamily("curl/8"), AgentFamily("curl"));
}

TEST(MixWindow, KeepsTwoStretchesOfTheMostFrequent) {
  MixWindow window(2);
  window.Add(Of({{"a", 5}, {"b", 3}, {"c", 1}}));
  EXPECT_EQ(window.Merged().total, 9);
  EXPECT_EQ(window.Merged().parts.size(), 2u);
  window.Rotate();
  window.Add(Of({{"a", 1}}));
  EXPECT_EQ(window.Older().total, 9);
  EXPECT_EQ(window.Merged().total, 10);
  window.ForgetOlder();
  EXPECT_EQ(window.Merged().total, 1);
  window.Clear();
  EXPECT_TRUE(window.Merged().parts.empty());
}

TEST(UsualMix, DistanceIsTheShareBeyondTheUsual) {
  UsualMix usual(4);
  EXPECT_TRUE(usual.empty());
  usual.Learn(Of({{"a", 60}, {"b", 40}}), 1);
  EXPECT_DOUBLE_EQ(usual.Share(MixKeyOf("a")), 0.6);
  EXPECT_EQ(usual.ShareOfUnlisted(), 0);
  EXPECT_NEAR(usual.Distance(Of({{"a", 6}, {"b", 4}})), 0, 1e-6);
  EXPECT_NEAR(usual.Distance(Of({{"b", 10}})), 0.6, 1e-6);
  EXPECT_NEAR(usual.Distance(Of({{"c", 10}})), 1, 1e-6);
  EXPECT_NEAR(usual.Distance(Of({{"a", 3}, {"b", 2}, {"c", 5}})), 0.5, 1e-6);
}

// A thousand kinds of phones, of which no list has more than a few.
TEST(UsualMix, TheRestIsComparedAsAWhole) {
  UsualMix usual(2);
  usual.Learn(Of({{"a", 30}, {"b", 10}}, /*rest=*/60), 1);
  EXPECT_NEAR(usual.Distance(Of({{"a", 30}, {"c", 5}}, /*rest=*/65)), 0, 0.06);
  EXPECT_NEAR(usual.Distance(Of({{"c", 90}}, /*rest=*/10)), 0.8, 1e-6);
}

TEST(UsualMix, LearnsAndForgets) {
  UsualMix usual(8);
  usual.Learn(Of({{"a", 100}}), 1);
  for (int i = 0; i < 50; ++i) usual.Learn(Of({{"b", 100}}), 0.1);
  EXPECT_GT(usual.Share(MixKeyOf("b")), 0.99);
  EXPECT_GT(usual.Noise(10, 1000), usual.Noise(1000, 1000));
  EXPECT_GT(usual.Noise(1000, 10), usual.Noise(1000, 1000));
  EXPECT_NEAR(usual.EffectiveValues(), 1, 0.05);
  EXPECT_GT(usual.ShareOfTop(1), 0.99);
}

TEST(Mixes, ReadWhatTheyWroteAndNothingElse) {
  MixWindow window(8);
  window.Add(Of({{"a", 5}, {"b", 3}, {"c", 1}}));
  window.Rotate();
  window.Add(Of({{"d", 7}}));
  UsualMix usual(8);
  usual.Learn(window.Merged(), 1);
  const std::string bytes = Encoded(window), usual_bytes = Encoded(usual);
  MixWindow copy(8), smaller(2);
  UsualMix usual_copy(8), usual_smaller(2);
  ByteReader in(bytes), in_smaller(bytes), usual_in(usual_bytes), usual_in_smaller(usual_bytes);
  copy.Decode(&in);
  usual_copy.Decode(&usual_in);
  EXPECT_TRUE(in.Done() && usual_in.Done());
  EXPECT_EQ(Encoded(copy), bytes);
  EXPECT_EQ(Encoded(usual_copy), usual_bytes);
  smaller.Decode(&in_smaller);
  usual_smaller.Decode(&usual_in_smaller);
  EXPECT_FALSE(in_smaller.ok() || usual_in_smaller.ok());
}

}  // namespace
}  // namespace tocsin

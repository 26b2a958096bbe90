#include "detectors/statistics/key_counts.h"

#include <array>
#include <map>
#include <random>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/hash.h"

namespace tocsin {
namespace {

using testing::ElementsAre;
using testing::Gt;
using testing::Le;
using testing::SizeIs;

using Pane = std::map<std::string, int>;

SpaceSaving Sketch(const Pane& pane) {
  SpaceSaving sketch(256);
  for (const auto& [key, count] : pane) sketch.Add(key, count);
  return sketch;
}

std::array<std::int64_t, 2> Largest(const KeyCounts& counts, std::array<int, 2> panes) {
  std::array<std::int64_t, 2> largest{};
  counts.Largest(panes, largest);
  return largest;
}

std::string Encoded(const KeyCounts& counts) {
  ByteWriter out;
  counts.Encode(&out);
  return out.Take();
}

TEST(KeyCounts, CountsEachValueByThePane) {
  KeyCounts counts(4);
  EXPECT_TRUE(counts.empty());
  for (const Pane& pane : {Pane{{"a", 3}}, {{"a", 2}, {"b", 4}}, {}, {{"b", 1}}}) {
    const SpaceSaving sketch = Sketch(pane);
    counts.NextPane(&sketch);
  }
  EXPECT_THAT(Largest(counts, {3, 4}), ElementsAre(5, 5));
  EXPECT_THAT(Largest(counts, {1, 2}), ElementsAre(1, 1));
  EXPECT_THAT(counts.AtLeast(5, 4), SizeIs(2));
  ASSERT_THAT(counts.AtLeast(5, 3), SizeIs(1));
  EXPECT_EQ(counts.AtLeast(5, 3)[0].key, Hash64("b"));
  counts.NextPane(nullptr);  // the first one leaves
  EXPECT_THAT(Largest(counts, {4, 4}), ElementsAre(5, 5));
  EXPECT_THAT(counts.AtLeast(5, 4), SizeIs(1));
  for (int i = 0; i < 3; ++i) counts.NextPane(nullptr);
  EXPECT_TRUE(counts.empty());
}

TEST(KeyCounts, CountsWhatIsGuaranteed) {
  SpaceSaving unsure(1);
  for (const char* key : {"a", "a", "b", "b", "b", "b"}) unsure.Add(key);
  const SpaceSaving::Entry top = unsure.Top(1)[0];
  ASSERT_EQ(top.key, "b");
  ASSERT_THAT(top.error, Gt(0));
  KeyCounts counts(3);
  counts.NextPane(&unsure);
  EXPECT_THAT(Largest(counts, {1, 1}), ElementsAre(top.count - top.error, top.count - top.error));
}

// 20 strangers a second for ten minutes, and one that comes about every other pane.
TEST(KeyCounts, ACrowdDoesNotHideWhoComesAgain) {
  KeyCounts counts(61);
  std::mt19937_64 random(1);
  std::array<int, 61> came{};
  for (int i = 0; i < 300; ++i) {
    Pane pane;
    for (int k = 0; k < 200; ++k) pane.emplace(std::to_string(random()), 1);
    const int again = static_cast<int>(random() % 2);
    if (again > 0) pane["again"] = again;
    came[static_cast<std::size_t>(i % 61)] = again;
    const SpaceSaving sketch = Sketch(pane);
    counts.NextPane(&sketch);
    EXPECT_THAT(Encoded(counts), SizeIs(Le(KeyCounts::kBytesMax + 3)));
  }
  int sum = 0;
  for (const int times : came) sum += times;
  EXPECT_THAT(sum, Gt(20));
  EXPECT_THAT(Largest(counts, {61, 61}), ElementsAre(sum, sum));
}

TEST(KeyCounts, ReadsWhatItWroteAndNothingElse) {
  KeyCounts counts(7);
  for (const Pane& pane : {Pane{{"a", 300}}, {{"b", 4}}, {{"a", 1}}}) {
    const SpaceSaving sketch = Sketch(pane);
    counts.NextPane(&sketch);
  }
  const std::string bytes = Encoded(counts);
  KeyCounts copy(7);
  ByteReader in(bytes);
  copy.Decode(&in);
  EXPECT_TRUE(in.Done());
  EXPECT_EQ(Encoded(copy), bytes);
  EXPECT_EQ(Largest(copy, {1, 7}), Largest(counts, {1, 7}));
  KeyCounts shorter(2);  // has no such ages
  ByteReader of_longer(bytes);
  shorter.Decode(&of_longer);
  EXPECT_FALSE(of_longer.ok());
  EXPECT_TRUE(shorter.empty());
  ByteWriter torn;
  torn.Bytes(std::string_view(bytes).substr(1, 10));
  ByteReader of_torn(torn.view());
  copy.Decode(&of_torn);
  EXPECT_FALSE(of_torn.ok());
}

}  // namespace
}  // namespace tocsin

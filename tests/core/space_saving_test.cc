#include "core/space_saving.h"

#include <algorithm>
#include <map>
#include <random>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/hash.h"
#include "core/limits.h"

namespace tocsin {

// Found by GoogleTest through the argument's namespace.
void PrintTo(const SpaceSaving::Entry& entry, std::ostream* out) {
  *out << entry.key << "=" << entry.count << "-" << entry.error;
}

namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Entry = SpaceSaving::Entry;

std::string Encoded(const SpaceSaving& sketch) {
  ByteWriter out;
  sketch.Encode(&out);
  return out.Take();
}

SpaceSaving Decoded(const std::string& bytes) {
  ByteReader in(bytes);
  SpaceSaving sketch = SpaceSaving::Decode(&in);
  EXPECT_TRUE(in.Done());
  return sketch;
}

bool Before(const Entry& a, const Entry& b) {
  return a.count != b.count ? a.count > b.count : a.key < b.key;
}

// The paper's algorithm as it reads, with a scan per step, and eight cells an entry as ours has.
class Reference {
 public:
  explicit Reference(std::size_t k) : k_(k), cells_(8 * k) {}

  void Add(const std::string& key, std::int64_t weight) {
    for (Entry& entry : entries_) {
      if (entry.key != key) continue;
      entry.count += weight;
      return;
    }
    if (entries_.size() < k_) {
      entries_.push_back({key, weight, 0});
      return;
    }
    std::int64_t& cell = CellOf(key);
    // Of equal ones the last.
    Entry& last =
        *std::min_element(entries_.rbegin(), entries_.rend(),
                          [](const Entry& a, const Entry& b) { return a.count < b.count; });
    if (cell + weight <= last.count) {
      cell += weight;
      return;
    }
    const Entry entry = {key, cell + weight, cell};
    CellOf(last.key) = std::max(CellOf(last.key), last.count);
    last = entry;
  }

  std::vector<Entry> Top() const {
    std::vector<Entry> top = entries_;
    std::sort(top.begin(), top.end(), Before);
    return top;
  }

 private:
  std::int64_t& CellOf(const std::string& key) {
    return cells_[((Hash64(key) >> 32) * cells_.size()) >> 32];
  }

  std::size_t k_;
  std::vector<Entry> entries_;
  std::vector<std::int64_t> cells_;
};

// Skewed: small numbers are frequent.
std::string RandomKey(std::mt19937_64* random) {
  const std::uint64_t range = 1 + (*random)() % 40;
  return "10.0.0." + std::to_string((*random)() % range);
}

TEST(SpaceSaving, IsExactUpToKKeys) {
  SpaceSaving top(3);
  EXPECT_TRUE(top.empty());
  EXPECT_EQ(top.TopShare(1), 0);
  top.Add("b");
  top.Add("a");
  top.Add("c", 5);
  top.Add("b", 0);
  top.Add("b", -4);
  EXPECT_THAT(top.Top(10), ElementsAre(Entry{"c", 5, 0}, Entry{"a", 1, 0}, Entry{"b", 1, 0}));
  EXPECT_THAT(top.Top(1), ElementsAre(Entry{"c", 5, 0}));
  EXPECT_THAT(top.Top(0), IsEmpty());
  EXPECT_EQ(top.total(), 7);
  EXPECT_DOUBLE_EQ(top.TopShare(1), 5.0 / 7.0);
  EXPECT_EQ(top.TopShare(3), 1);
  EXPECT_EQ(top.TopShare(0), 0);
  EXPECT_EQ(top.TopShare(100), 1);
}

TEST(SpaceSaving, ReplacesTheSmallestAndOfTiesTheLastByOneThatHasMore) {
  SpaceSaving top(3);
  for (const char* key : {"a", "a", "b", "c"}) top.Add(key);
  top.Add("d");  // as many as b and c
  EXPECT_THAT(top.Top(3), ElementsAre(Entry{"a", 2, 0}, Entry{"b", 1, 0}, Entry{"c", 1, 0}));
  top.Add("d");  // of these c comes last in order
  EXPECT_THAT(top.Top(3), ElementsAre(Entry{"a", 2, 0}, Entry{"d", 2, 1}, Entry{"b", 1, 0}));
  top.Add("c");  // it had one, and b has one
  EXPECT_THAT(top.Top(3), ElementsAre(Entry{"a", 2, 0}, Entry{"c", 2, 1}, Entry{"d", 2, 1}));
}

TEST(SpaceSaving, AddAgainCountsTheKeyOfTheLastAddOnly) {
  SpaceSaving top(2);
  EXPECT_FALSE(top.AddAgain("a", 1));
  top.Add("a");
  EXPECT_TRUE(top.AddAgain("a", 4));
  EXPECT_TRUE(top.AddAgain("a", 0));
  top.Add("b");
  EXPECT_FALSE(top.AddAgain("a", 1));
  EXPECT_TRUE(top.AddAgain("b", 1));
  top.Add("c");
  EXPECT_FALSE(top.AddAgain("c", 1)) << "it is in a cell";
  EXPECT_TRUE(top.AddAgain("b", 1));
  EXPECT_THAT(top.Top(2), ElementsAre(Entry{"a", 5, 0}, Entry{"b", 3, 0}));
  EXPECT_EQ(top.total(), 9);
  top.Clear();
  EXPECT_FALSE(top.AddAgain("b", 1));
}

TEST(SpaceSaving, AgreesWithTheReferenceOnRandomStreams) {
  for (unsigned seed = 0; seed < 60; ++seed) {
    std::mt19937_64 random(seed);
    const auto k = static_cast<std::uint32_t>(1 + random() % 20);
    SpaceSaving top(k);
    Reference reference(k);
    std::map<std::string, std::int64_t> boolean;
    std::int64_t total = 0;
    for (int i = 0; i < 2'000; ++i) {
      const std::string key = RandomKey(&random);
      const auto weight = static_cast<std::int64_t>(1 + (random() % 4 == 0 ? random() % 5 : 0));
      top.Add(key, weight);
      reference.Add(key, weight);
      boolean[key] += weight;
      total += weight;
      if (i % 100 == 0) {
        ASSERT_EQ(top.Top(k), reference.Top()) << "seed " << seed;
      }
      if (i == 1'000) top = SpaceSaving(top);  // a copy behaves like the original
    }
    ASSERT_EQ(top.Top(k), reference.Top()) << "seed " << seed;
    EXPECT_EQ(top.total(), total);
    for (const Entry& entry : top.Top(k)) {
      EXPECT_LE(entry.count - entry.error, boolean[entry.key]) << "seed " << seed;
      EXPECT_GE(entry.count, boolean[entry.key]) << "seed " << seed;
      EXPECT_LE(entry.error, total / k) << "seed " << seed;
    }
  }
}

// What the cells knew is lost, so it must be assumed of every key.
TEST(SpaceSaving, BoundsHoldBehindTheWire) {
  for (unsigned seed = 0; seed < 60; ++seed) {
    std::mt19937_64 random(seed);
    const auto k = static_cast<std::uint32_t>(1 + random() % 20);
    SpaceSaving top(k);
    std::map<std::string, std::int64_t> boolean;
    for (int i = 0; i < 2'000; ++i) {
      const std::string key = RandomKey(&random);
      top.Add(key);
      ++boolean[key];
      if (i % 300 == 299) top = Decoded(Encoded(top));
    }
    for (const Entry& entry : top.Top(k)) {
      EXPECT_LE(entry.count - entry.error, boolean[entry.key]) << "seed " << seed;
      EXPECT_GE(entry.count, boolean[entry.key]) << "seed " << seed;
    }
  }
}

TEST(SpaceSaving, MergeIsExactWhileKeysFit) {
  SpaceSaving a(4);
  SpaceSaving b(4);
  for (const char* key : {"x", "x", "y", "z", "w"}) a.Add(key);
  for (const char* key : {"y", "y", "z"}) b.Add(key);
  SpaceSaving ab = a;
  ab.Merge(b);
  SpaceSaving ba = b;
  ba.Merge(a);
  EXPECT_THAT(ab.Top(9),
              ElementsAre(Entry{"y", 3, 0}, Entry{"x", 2, 0}, Entry{"z", 2, 0}, Entry{"w", 1, 0}));
  EXPECT_EQ(ab.total(), 8);
  EXPECT_EQ(Encoded(ab), Encoded(ba));
  const std::string before = Encoded(ab);
  ab.Merge(SpaceSaving(4));
  EXPECT_EQ(Encoded(ab), before);
  SpaceSaving empty(4);
  empty.Merge(ab);
  EXPECT_EQ(Encoded(empty), before);
}

TEST(SpaceSaving, MergeAddsTheOtherSidesSmallestCountAsError) {
  SpaceSaving a(2);
  a.Add("x", 10);
  a.Add("y", 4);
  SpaceSaving b(2);
  b.Add("x", 1);
  b.Add("z", 7);
  a.Merge(b);  // x = 11; y = 4 + 1; z = 7 + 4
  EXPECT_THAT(a.Top(3), ElementsAre(Entry{"x", 11, 0}, Entry{"z", 11, 4}));
  EXPECT_EQ(a.total(), 22);

  SpaceSaving small(1);
  small.Add("q", 3);
  SpaceSaving large(8);
  large.Add("p", 5);
  large.Merge(small);
  EXPECT_EQ(large.k(), 1u);  // else a key that `small` dropped would pass for never seen
  EXPECT_THAT(large.Top(3), ElementsAre(Entry{"p", 8, 3}));
}

TEST(SpaceSaving, MergedBoundsHold) {
  for (unsigned seed = 0; seed < 40; ++seed) {
    std::mt19937_64 random(seed);
    std::map<std::string, std::int64_t> boolean;
    SpaceSaving merged(16);
    for (int part = 0; part < 4; ++part) {
      SpaceSaving top(16);
      for (int i = 0; i < 300; ++i) {
        const std::string key = RandomKey(&random);
        top.Add(key);
        ++boolean[key];
      }
      merged.Merge(top);
      merged.Add("late");  // the merged sketch goes on working
      ++boolean["late"];
    }
    EXPECT_EQ(merged.total(), 1'204);
    for (const Entry& entry : merged.Top(16)) {
      EXPECT_LE(entry.count - entry.error, boolean[entry.key]) << "seed " << seed;
      EXPECT_GE(entry.count, boolean[entry.key]) << "seed " << seed;
    }
  }
}

TEST(SpaceSaving, MergesWithItself) {
  SpaceSaving top(2);
  top.Add("a", 3);
  top.Add("b", 1);
  top.Merge(top);
  EXPECT_THAT(top.Top(2), ElementsAre(Entry{"a", 6, 0}, Entry{"b", 2, 0}));
  EXPECT_EQ(top.total(), 8);
}

TEST(SpaceSaving, CutsKeysAndSaturates) {
  SpaceSaving top(2);
  const std::string key(limits::kTopKeyBytesMax, 'k');
  top.Add(key + "1");
  top.Add(key + "2");
  EXPECT_THAT(top.Top(2), ElementsAre(Entry{key, 2, 0}));
  top.Add(key, INT64_MAX);
  top.Add("other", INT64_MAX);
  top.Add("third", INT64_MAX);
  EXPECT_EQ(top.total(), INT64_MAX);
  EXPECT_EQ(top.Top(1)[0].count, INT64_MAX);
  EXPECT_EQ(top.TopShare(2), 1);
}

TEST(SpaceSaving, BreaksTiesByKeyAlsoAmongSaturatedCounts) {
  SpaceSaving top(2);
  for (const char* key : {"c", "a", "0", "x"}) top.Add(key, INT64_MAX);
  // Nobody can have more.
  EXPECT_THAT(top.Top(2), ElementsAre(Entry{"a", INT64_MAX, 0}, Entry{"c", INT64_MAX, 0}));
}

TEST(SpaceSaving, ClearForgetsEverything) {
  SpaceSaving top(2);
  for (const char* key : {"a", "b", "c", "c"}) top.Add(key);
  top.Clear();
  EXPECT_TRUE(top.empty());
  EXPECT_EQ(Encoded(top), Encoded(SpaceSaving(2)));
  for (const char* key : {"a", "b", "c", "c"}) top.Add(key);
  EXPECT_THAT(top.Top(2), ElementsAre(Entry{"c", 2, 1}, Entry{"a", 1, 0}));
}

TEST(SpaceSaving, EncodingDependsOnContentOnly) {
  SpaceSaving a(3);
  SpaceSaving b(3);
  for (const char* key : {"x", "y", "z", "z"}) a.Add(key);
  for (const char* key : {"z", "y", "z", "x"}) b.Add(key);
  EXPECT_EQ(Encoded(a), Encoded(b));
  EXPECT_EQ(Encoded(a), "\x03\x04\x03\x01z\x02" + std::string(1, '\0') + "\x01x\x01" +
                            std::string(1, '\0') + "\x01y\x01" + std::string(1, '\0'));
  const std::string bytes = Encoded(a);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    ByteReader cut(std::string_view(bytes).substr(0, size));
    EXPECT_TRUE(SpaceSaving::Decode(&cut).empty());
    EXPECT_FALSE(cut.ok()) << size;
  }
}

struct Wire {
  std::uint64_t k = 3;
  std::uint64_t total = 3;
  struct Item {
    std::string key;
    std::uint64_t count;
    std::uint64_t error;
  };
  std::vector<Item> items = {{"a", 2, 0}, {"b", 1, 0}};
};

bool Accepted(const Wire& wire) {
  ByteWriter out;
  out.Varint(wire.k);
  out.Varint(wire.total);
  out.Varint(wire.items.size());
  for (const Wire::Item& item : wire.items) {
    out.Bytes(item.key);
    out.Varint(item.count);
    out.Varint(item.error);
  }
  ByteReader in(out.view());
  const SpaceSaving sketch = SpaceSaving::Decode(&in);
  EXPECT_EQ(in.ok(), !sketch.empty() || wire.items.empty());
  return in.Done();
}

TEST(SpaceSaving, RejectsHostileEncodings) {
  EXPECT_TRUE(Accepted({}));
  EXPECT_TRUE(Accepted({.total = 0, .items = {}}));
  EXPECT_FALSE(Accepted({.k = 0}));
  EXPECT_FALSE(Accepted({.k = 1}));
  EXPECT_FALSE(Accepted({.k = SpaceSaving::kMaxK + 1}));
  EXPECT_FALSE(Accepted({.total = 0}));
  EXPECT_FALSE(Accepted({.total = 1ull << 63}));
  EXPECT_FALSE(Accepted({.items = {{"a", 1, 0}, {"b", 2, 0}}}));  // not in order
  EXPECT_FALSE(Accepted({.items = {{"b", 1, 0}, {"a", 1, 0}}}));
  EXPECT_FALSE(Accepted({.items = {{"a", 1, 0}, {"a", 1, 0}}}));  // twice
  EXPECT_FALSE(Accepted({.items = {{"a", 2, 0}, {"a", 1, 0}}}));
  EXPECT_FALSE(Accepted({.items = {{"a", 0, 0}}}));
  EXPECT_FALSE(Accepted({.items = {{"a", 1, 2}}}));
  EXPECT_FALSE(Accepted({.items = {{"a", 1ull << 63, 0}}}));
  EXPECT_FALSE(Accepted({.items = {{std::string(257, 'a'), 1, 0}}}));
}

}  // namespace
}  // namespace tocsin

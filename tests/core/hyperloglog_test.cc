#include "core/hyperloglog.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <new>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/hash.h"

namespace {
std::atomic<int> allocations = 0;
}  // namespace

// Counts allocations of the whole program, so that a test can show that there were none. Not
// inlined, or GCC sees free() meet a pointer of operator new and warns.
[[gnu::noinline]] void* operator new(std::size_t size) {
  allocations.fetch_add(1, std::memory_order_relaxed);  // no partner: only a count
  if (void* const memory = std::malloc(size)) return memory;
  std::abort();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace tocsin {
namespace {

std::string Encoded(const HyperLogLog& sketch) {
  ByteWriter out;
  sketch.Encode(&out);
  return out.Take();
}

HyperLogLog UsersUpTo(int end, int begin = 0) {
  HyperLogLog sketch;
  for (int i = begin; i < end; ++i) sketch.Add("user-" + std::to_string(i));
  return sketch;
}

// A hash that sets register `index` to `rank`.
std::uint64_t HashFor(std::uint64_t index, int rank) {
  const std::uint64_t rest = rank > 54 ? 0 : std::uint64_t{1} << (54 - rank);
  return index << 54 | rest;
}

TEST(HyperLogLog, EstimatesWithinThreeStandardErrors) {
  EXPECT_EQ(HyperLogLog().Estimate(), 0);
  EXPECT_NEAR(UsersUpTo(1).Estimate(), 1, 0.01);
  EXPECT_NEAR(UsersUpTo(10).Estimate(), 10, 0.3);
  for (const int users : {100, 280, 400, 1'000, 2'500, 3'500, 10'000, 100'000, 1'000'000}) {
    EXPECT_NEAR(UsersUpTo(users).Estimate(), users, 3 * 0.0325 * users);
  }
}

TEST(HyperLogLog, RankIsThePositionOfTheFirstSetBit) {
  // index 5: a gap of 5, then the rank
  for (const int rank : {1, 2, 30, 54, 55}) {
    HyperLogLog sketch;
    sketch.AddHash(HashFor(5, rank));
    EXPECT_EQ(Encoded(sketch), std::string("\x01\x05") + static_cast<char>(rank));
  }
}

TEST(HyperLogLog, RepeatsAndSmallerRanksChangeNothing) {
  HyperLogLog sketch;
  EXPECT_TRUE(sketch.empty());
  sketch.AddHash(HashFor(9, 7));
  EXPECT_FALSE(sketch.empty());
  const HyperLogLog once = sketch;
  sketch.AddHash(HashFor(9, 7));
  sketch.AddHash(HashFor(9, 3));
  EXPECT_EQ(sketch, once);
  sketch.AddHash(HashFor(9, 8));
  EXPECT_NE(sketch, once);
}

TEST(HyperLogLog, KnowsWhatWasSurelyNeverAdded) {
  EXPECT_EQ(HyperLogLog().NoveltyChance(), 1);
  EXPECT_FALSE(HyperLogLog().MayContain(Hash64("user-1")));
  for (const int users : {1, 100, 400, 3'000, 50'000}) {
    const HyperLogLog sketch = UsersUpTo(users);
    for (int i = 0; i < users; i += 1 + users / 500) {
      EXPECT_TRUE(sketch.MayContain(Hash64("user-" + std::to_string(i)))) << users;
    }
    int fresh = 0;
    constexpr int kOthers = 20'000;
    for (int i = 0; i < kOthers; ++i) {
      fresh += sketch.MayContain(Hash64("guest-" + std::to_string(i))) ? 0 : 1;
    }
    EXPECT_NEAR(static_cast<double>(fresh) / kOthers, sketch.NoveltyChance(), 0.01) << users;
  }
}

TEST(HyperLogLog, FormDependsOnContentOnly) {
  std::vector<std::uint64_t> hashes;
  for (std::uint64_t index = 0; index < HyperLogLog::kSparseMax; ++index) {
    hashes.push_back(HashFor(index * 4, static_cast<int>(index % 50) + 1));
  }
  HyperLogLog forward;
  HyperLogLog backward;
  for (const std::uint64_t hash : hashes) forward.AddHash(hash);
  std::reverse(hashes.begin(), hashes.end());
  for (const std::uint64_t hash : hashes) backward.AddHash(hash);
  EXPECT_EQ(forward, backward);
  EXPECT_EQ(Encoded(forward), Encoded(backward));
  EXPECT_LT(Encoded(forward).size(), 3 * HyperLogLog::kSparseMax);

  // One register more, in either order, and both are dense.
  HyperLogLog other;
  other.AddHash(HashFor(1, 1));
  HyperLogLog merged = other;
  merged.Merge(forward);
  forward.AddHash(HashFor(1, 1));
  EXPECT_EQ(forward, merged);
  EXPECT_EQ(Encoded(forward).size(), HyperLogLog::kRegisters + 2);
  EXPECT_EQ(Encoded(forward), Encoded(merged));
}

TEST(HyperLogLog, MergeEqualsTheUnion) {
  // Sizes on both sides of the change of form.
  for (const int a : {0, 50, 200, 5'000}) {
    for (const int b : {0, 60, 250, 6'000}) {
      const HyperLogLog both = UsersUpTo(a + b);
      HyperLogLog left = UsersUpTo(a + b / 2);
      left.Merge(UsersUpTo(a + b, a));
      HyperLogLog right = UsersUpTo(a + b, a);
      right.Merge(UsersUpTo(a + b / 2));
      EXPECT_EQ(left, both) << a << " " << b;
      EXPECT_EQ(Encoded(right), Encoded(both)) << a << " " << b;
      EXPECT_EQ(left.Estimate(), right.Estimate());
      left.Merge(left);
      EXPECT_EQ(left, both);
    }
  }
}

TEST(HyperLogLog, EncodingReadsBackAndCutOnesFail) {
  for (const int users : {0, 1, 100, 250, 300, 50'000}) {
    const HyperLogLog sketch = UsersUpTo(users);
    const std::string bytes = Encoded(sketch);
    ByteReader in(bytes);
    EXPECT_EQ(HyperLogLog::Decode(&in), sketch) << users;
    EXPECT_TRUE(in.Done()) << users;
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      ByteReader cut(std::string_view(bytes).substr(0, size));
      EXPECT_TRUE(HyperLogLog::Decode(&cut).empty());
      EXPECT_FALSE(cut.ok()) << size;
    }
  }
}

TEST(HyperLogLog, RejectsHostileEncodings) {
  const auto rejected = [](std::initializer_list<std::uint64_t> varints,
                           std::string_view rest = "") {
    ByteWriter out;
    for (const std::uint64_t value : varints) out.Varint(value);
    out.Raw(rest);
    ByteReader in(out.view());
    const HyperLogLog sketch = HyperLogLog::Decode(&in);
    return !in.ok() && sketch.empty();
  };
  EXPECT_FALSE(rejected({1, 1'023, 55}));
  EXPECT_TRUE(rejected({1, 1'024, 1}));
  EXPECT_TRUE(rejected({2, 1'023, 1, 0, 1}));
  EXPECT_TRUE(rejected({2, 5, 1, UINT64_MAX - 5, 1}));
  EXPECT_TRUE(rejected({1, 5, 0}));
  EXPECT_TRUE(rejected({1, 5, 56}));
  EXPECT_TRUE(rejected({258}, std::string(2'000, '\x01')));
  EXPECT_FALSE(rejected({257}, std::string(1'024, '\x01')));
  EXPECT_TRUE(rejected({257}, std::string(1'023, '\x01') + '\x38'));
  // 256 registers are a list, not an array.
  EXPECT_TRUE(rejected({257}, std::string(256, '\x01') + std::string(768, '\0')));
  EXPECT_FALSE(rejected({257}, std::string(257, '\x01') + std::string(767, '\0')));
}

TEST(HyperLogLog, DoesNotAllocateOnceItHasGrown) {
  std::vector<std::string> users;
  for (int i = 0; i < 5'000; ++i) users.push_back(std::to_string(i));
  HyperLogLog sketch = UsersUpTo(5'000);
  sketch.Clear();
  EXPECT_TRUE(sketch.empty());
  EXPECT_EQ(sketch, HyperLogLog());
  const int before = allocations.load();
  for (const std::string& user : users) sketch.Add(user);
  EXPECT_EQ(allocations.load(), before);
  EXPECT_NEAR(sketch.Estimate(), 5'000, 500);
}

TEST(HyperLogLog, CompactIsTheSameInHalfTheBytes) {
  for (const int users : {0, 10, 256, 300, 2'000, 50'000, 1'000'000}) {
    HyperLogLog sketch = UsersUpTo(users);
    sketch.AddHash(7);  // a rank far above the others
    ByteWriter out;
    sketch.EncodeCompact(&out);
    EXPECT_LE(out.size(), 600u) << users;
    ByteReader in(out.view());
    EXPECT_EQ(HyperLogLog::DecodeCompact(&in), sketch) << users;
    EXPECT_TRUE(in.Done()) << users;
  }
}

}  // namespace
}  // namespace tocsin

#include "detectors/statistics/key_counts.h"

#include <algorithm>
#include <array>
#include <cassert>

#include "core/hash.h"
#include "core/math.h"

namespace tocsin {
namespace {

// Bytes of a value (at least), and of each of its panes at most: an age and a count of 2^14 or
// less.
constexpr std::size_t kKeyBytes = 9, kSeenBytes = 4;

}  // namespace

std::vector<KeyCounts::Seen> KeyCounts::Unpack() const {
  std::vector<Seen> seen;
  ByteReader in(packed_);
  while (in.ok() && in.remaining() > 0) {
    const std::uint64_t key = in.Fixed64();
    for (std::uint64_t panes = in.Varint(); panes > 0 && in.ok(); --panes) {
      const auto age = static_cast<std::int32_t>(in.Varint());
      seen.push_back({.key = key, .count = static_cast<std::int64_t>(in.Varint()), .age = age});
    }
  }
  return seen;
}

void KeyCounts::Pack(const std::vector<Seen>& seen) {
  ByteWriter out;
  for (std::size_t i = 0; i < seen.size();) {
    std::size_t end = i;
    while (end < seen.size() && seen[end].key == seen[i].key) ++end;
    out.Fixed64(seen[i].key);
    out.Varint(end - i);
    for (; i < end; ++i) {
      out.Varint(static_cast<std::uint64_t>(seen[i].age));
      out.Varint(static_cast<std::uint64_t>(seen[i].count));
    }
  }
  // A copy has no spare capacity.
  packed_ = std::string(out.view());
}

void KeyCounts::NextPane(const SpaceSaving* pane) {
  if (packed_.empty() && (pane == nullptr || pane->empty())) return;
  std::vector<Seen> seen;
  if (pane != nullptr) {
    for (const SpaceSaving::Entry& entry : pane->entries()) {
      const std::int64_t count = entry.count - entry.error;
      if (count > 0) seen.push_back({.key = Hash64(entry.key), .count = count, .age = 0});
    }
  }
  const std::size_t fresh = seen.size();
  for (Seen& one : Unpack()) {
    if (++one.age < window_panes_) seen.push_back(one);
  }
  // Sort by key; for one key the new pane comes before the older ones.
  const auto older = seen.begin() + static_cast<std::ptrdiff_t>(fresh);
  const auto by_key = [](const Seen& a, const Seen& b) { return a.key < b.key; };
  std::sort(seen.begin(), older, by_key);
  std::inplace_merge(seen.begin(), older, seen.end(), by_key);
  Evict(&seen);
  Pack(seen);
}

void KeyCounts::Evict(std::vector<Seen>* seen) const {
  struct Value {
    std::int64_t count = 0;
    std::int32_t age = 0;  // age of the newest pane with the value
    std::size_t first = 0, panes = 0;
  };
  std::vector<Value> values;
  for (std::size_t i = 0; i < seen->size(); ++i) {
    const Seen& one = (*seen)[i];
    if (i == 0 || one.key != (*seen)[i - 1].key) values.push_back({.age = one.age, .first = i});
    values.back().count = SaturatingAdd(values.back().count, one.count);
    ++values.back().panes;
  }
  if (values.size() <= kKeysMax &&
      values.size() * kKeyBytes + seen->size() * kSeenBytes <= kBytesMax) {
    return;
  }
  std::sort(values.begin(), values.end(), [](const Value& a, const Value& b) {
    if (a.count != b.count) return a.count > b.count;
    return a.age != b.age ? a.age < b.age : a.first < b.first;
  });
  std::size_t bytes = 0, kept = 0;
  while (kept < std::min(values.size(), kKeysMax)) {
    bytes += kKeyBytes + values[kept].panes * kSeenBytes;
    if (bytes > kBytesMax) break;
    ++kept;
  }
  for (std::size_t i = kept; i < values.size(); ++i) {
    for (std::size_t at = 0; at < values[i].panes; ++at) (*seen)[values[i].first + at].count = 0;
  }
  std::erase_if(*seen, [](const Seen& one) { return one.count == 0; });
}

void KeyCounts::Largest(std::span<const int> panes, std::span<std::int64_t> largest) const {
  assert(panes.size() <= kWindowsMax && panes.size() == largest.size());
  std::fill(largest.begin(), largest.end(), 0);
  ByteReader in(packed_);
  while (in.ok() && in.remaining() > 0) {
    in.Fixed64();
    std::array<std::int64_t, kWindowsMax> sums{};
    for (std::uint64_t left = in.Varint(); left > 0 && in.ok(); --left) {
      const auto age = static_cast<int>(in.Varint());
      const auto count = static_cast<std::int64_t>(in.Varint());
      for (std::size_t i = 0; i < panes.size(); ++i) {
        if (age < panes[i]) sums[i] = SaturatingAdd(sums[i], count);
      }
    }
    for (std::size_t i = 0; i < panes.size(); ++i) largest[i] = std::max(largest[i], sums[i]);
  }
}

std::vector<KeyCounts::Entry> KeyCounts::AtLeast(std::int64_t least, int panes) const {
  std::vector<Entry> entries;
  for (const Seen& one : Unpack()) {
    if (one.age >= panes) continue;
    if (entries.empty() || entries.back().key != one.key) entries.push_back({.key = one.key});
    entries.back().count = SaturatingAdd(entries.back().count, one.count);
  }
  std::erase_if(entries, [least](const Entry& entry) { return entry.count < least; });
  return entries;
}

void KeyCounts::Decode(ByteReader* in) {
  packed_ = std::string(in->Bytes());
  if (packed_.size() > 2 * kBytesMax) in->Fail();
  ByteReader bytes(packed_);
  std::uint64_t last_key = 0;
  for (bool first = true; bytes.remaining() > 0 && bytes.ok(); first = false) {
    const std::uint64_t key = bytes.Fixed64();
    const std::size_t panes = bytes.Count(2);
    if ((!first && key <= last_key) || panes == 0) bytes.Fail();
    last_key = key;
    std::int64_t last_age = -1;
    for (std::size_t i = 0; i < panes && bytes.ok(); ++i) {
      const std::uint64_t age = bytes.Varint(), count = bytes.Varint();
      if (age >= static_cast<std::uint64_t>(window_panes_) || count < 1 || count > INT64_MAX ||
          static_cast<std::int64_t>(age) <= last_age) {
        bytes.Fail();
      }
      last_age = static_cast<std::int64_t>(age);
    }
  }
  if (!bytes.Done()) in->Fail();
  if (!in->ok()) packed_.clear();
}

}  // namespace tocsin

#include "core/space_saving.h"

#include <algorithm>
#include <cassert>
#include <functional>
#include <numeric>
#include <utility>

#include "absl/base/attributes.h"
#include "core/hash.h"
#include "core/limits.h"
#include "core/math.h"
#include "core/short_text.h"

namespace tocsin {
namespace {

constexpr std::size_t kSlotsMin = 16;
// Random keys reach the least entry's count in their cell the more rarely the more cells there are.
constexpr std::size_t kCellsPerEntry = 8;

bool Before(const SpaceSaving::Entry& a, const SpaceSaving::Entry& b) {
  return a.count != b.count ? a.count > b.count : a.key < b.key;
}

}  // namespace

// Most of Add for most keys.
ABSL_ATTRIBUTE_ALWAYS_INLINE inline std::uint32_t SpaceSaving::Find(std::string_view key,
                                                                    std::uint64_t hash) const {
  if (slots_.empty()) return kNone;
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t at = hash & mask;; at = (at + 1) & mask) {
    const Slot slot = slots_[at];
    if (slot.entry == kNone) return kNone;
    if (slot.tag == TagOf(hash) && EqualTexts(entries_[slot.entry].key, key)) return slot.entry;
  }
}

void SpaceSaving::Add(std::string_view key, std::uint64_t hash, std::int64_t weight) {
  assert(k_ >= 1 && k_ <= kMaxK);
  if (weight <= 0) return;
  if (key.size() > limits::kTopKeyBytesMax) {
    key = key.substr(0, limits::kTopKeyBytesMax);
    hash = Hash64(key);
  }
  if (const std::uint32_t at = Find(key, hash); at != kNone) {
    newest_ = at;
    Count(at, weight);
    return;
  }
  total_ = SaturatingAdd(total_, weight);
  if (entries_.size() < k_) {
    newest_ = static_cast<std::uint32_t>(entries_.size());
    Append({.key = std::string(key), .count = weight, .error = 0}, hash);
  } else {
    AddToCell(key, hash, weight);
  }
}

void SpaceSaving::AddOther(std::int64_t weight) {
  assert(!empty());
  if (weight <= 0) return;
  total_ = SaturatingAdd(total_, weight);
  complete_ = false;
}

void SpaceSaving::AddToCell(std::string_view key, std::uint64_t hash, std::int64_t weight) {
  if (cells_.empty()) cells_.assign(kCellsPerEntry * k_, complete_ ? 0 : AbsentMax());
  complete_ = false;
  std::int64_t& cell = CellOf(hash);
  const std::int64_t count = SaturatingAdd(cell, weight);
  // The root's count is at most that of the least entry.
  if ((!heap_.empty() && count <= heap_[0].count) || count <= entries_[Last()].count) {
    cell = count;
  } else {
    Evict(key, hash, count, cell);
  }
}

void SpaceSaving::Evict(std::string_view key, std::uint64_t hash, std::int64_t count,
                        std::int64_t error) {
  const std::uint32_t last = newest_ = Last();
  Unindex(last);
  Entry& entry = entries_[last];
  std::int64_t& cell = CellOf(hashes_[last]);
  cell = std::max(cell, entry.count);
  entry.key.assign(key);
  entry.error = error;
  entry.count = count;
  hashes_[last] = hash;
  Index(last);
  heap_[0].count = entry.count;
  SiftDown(0);
}

std::uint32_t SpaceSaving::Last() {
  if (heap_.empty()) {
    for (std::uint32_t i = 0; i < entries_.size(); ++i) heap_.push_back({entries_[i].count, i});
    for (std::size_t i = heap_.size() / 2; i-- > 0;) SiftDown(i);
  }
  // Add leaves an entry's node where it is, so a node's count is a lower bound. Once the root's is
  // exact no other entry can come after it. Each repair pays for at least one such Add.
  while (heap_[0].count != entries_[heap_[0].entry].count) {
    heap_[0].count = entries_[heap_[0].entry].count;
    SiftDown(0);
  }
  return heap_[0].entry;
}

void SpaceSaving::SiftDown(std::size_t at) {
  const HeapNode node = heap_[at];
  for (;;) {
    std::size_t child = 2 * at + 1;
    if (child >= heap_.size()) break;
    if (child + 1 < heap_.size() && Later(heap_[child + 1], heap_[child])) ++child;
    if (!Later(heap_[child], node)) break;
    heap_[at] = heap_[child];
    at = child;
  }
  heap_[at] = node;
}

void SpaceSaving::Index(std::uint32_t entry) {
  const std::size_t mask = slots_.size() - 1;
  std::size_t slot = hashes_[entry] & mask;
  while (slots_[slot].entry != kNone) slot = (slot + 1) & mask;
  slots_[slot] = {.entry = entry, .tag = TagOf(hashes_[entry])};
}

void SpaceSaving::Unindex(std::uint32_t entry) {
  const std::size_t mask = slots_.size() - 1;
  std::size_t hole = hashes_[entry] & mask;
  while (slots_[hole].entry != entry) hole = (hole + 1) & mask;
  // Moves later entries of the run up, so that no probe meets a gap and no tombstones pile up.
  for (std::size_t slot = (hole + 1) & mask; slots_[slot].entry != kNone;
       slot = (slot + 1) & mask) {
    const std::size_t home = hashes_[slots_[slot].entry] & mask;
    if (((slot - home) & mask) < ((slot - hole) & mask)) continue;
    slots_[hole] = slots_[slot];
    hole = slot;
  }
  slots_[hole] = {};
}

void SpaceSaving::Append(Entry entry, std::uint64_t hash) {
  entries_.push_back(std::move(entry));
  hashes_.push_back(hash);
  if (2 * entries_.size() <= slots_.size()) {
    Index(static_cast<std::uint32_t>(entries_.size() - 1));
    return;
  }
  slots_.assign(std::max(kSlotsMin, 2 * slots_.size()), Slot());
  for (std::uint32_t i = 0; i < entries_.size(); ++i) Index(i);
}

std::int64_t SpaceSaving::AbsentMax() const {
  if (entries_.size() < k_) return 0;
  std::int64_t least = INT64_MAX;
  for (const Entry& entry : entries_) least = std::min(least, entry.count);
  return least;
}

void SpaceSaving::Merge(const SpaceSaving& other) {
  if (other.empty()) return;
  const std::int64_t our_absent = AbsentMax();
  const std::int64_t their_absent = other.AbsentMax();
  std::vector<Entry> merged;
  merged.reserve(entries_.size() + other.entries_.size());
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    Entry& entry = merged.emplace_back(entries_[i]);
    const std::uint32_t at = other.Find(entry.key, hashes_[i]);
    const Entry* const theirs = at == kNone ? nullptr : &other.entries_[at];
    entry.count = SaturatingAdd(entry.count, theirs ? theirs->count : their_absent);
    entry.error = SaturatingAdd(entry.error, theirs ? theirs->error : their_absent);
  }
  for (std::size_t i = 0; i < other.entries_.size(); ++i) {
    const Entry& theirs = other.entries_[i];
    if (Find(theirs.key, other.hashes_[i]) != kNone) continue;
    merged.push_back({.key = theirs.key,
                      .count = SaturatingAdd(theirs.count, our_absent),
                      .error = SaturatingAdd(theirs.error, our_absent)});
  }
  const std::int64_t total = SaturatingAdd(total_, other.total_);
  const std::uint32_t k = std::min(k_, other.k_);
  if (merged.size() > k) {
    std::nth_element(merged.begin(), merged.begin() + k, merged.end(), Before);
    merged.resize(k);
  }
  Clear();
  k_ = k;
  total_ = total;
  for (Entry& entry : merged) {
    const std::uint64_t hash = Hash64(entry.key);
    Append(std::move(entry), hash);
  }
  complete_ = entries_.size() < k_;
}

void SpaceSaving::Clear() {
  total_ = 0;
  entries_.clear();
  hashes_.clear();
  heap_.clear();
  cells_.clear();
  complete_ = true;
  std::fill(slots_.begin(), slots_.end(), Slot());
}

std::vector<std::uint32_t> SpaceSaving::TopOrder() const {
  std::vector<std::uint32_t> order(entries_.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(),
            [this](std::uint32_t a, std::uint32_t b) { return Before(entries_[a], entries_[b]); });
  return order;
}

std::vector<SpaceSaving::Entry> SpaceSaving::Top(std::size_t n) const {
  std::vector<std::uint32_t> order = TopOrder();
  order.resize(std::min(n, order.size()));
  std::vector<Entry> top;
  top.reserve(order.size());
  for (const std::uint32_t entry : order) top.push_back(entries_[entry]);
  return top;
}

double SpaceSaving::TopShare(std::size_t n) const {
  if (entries_.empty()) return 0;
  std::vector<std::int64_t> counts;
  counts.reserve(entries_.size());
  for (const Entry& entry : entries_) counts.push_back(entry.count);
  std::sort(counts.begin(), counts.end(), std::greater<>());
  counts.resize(std::min(n, counts.size()));
  const std::int64_t sum =
      std::accumulate(counts.begin(), counts.end(), std::int64_t{0}, SaturatingAdd);
  // Merged counts are upper bounds, so their sum may pass the total.
  return std::min(1.0, static_cast<double>(sum) / static_cast<double>(total_));
}

void SpaceSaving::Encode(ByteWriter* out) const {
  out->Varint(k_);
  out->Varint(static_cast<std::uint64_t>(total_));
  out->Varint(entries_.size());
  for (const std::uint32_t i : TopOrder()) {
    out->Bytes(entries_[i].key);
    out->Varint(static_cast<std::uint64_t>(entries_[i].count));
    out->Varint(static_cast<std::uint64_t>(entries_[i].error));
  }
}

SpaceSaving SpaceSaving::Decode(ByteReader* in) {
  const std::uint64_t k = in->Varint();
  const std::uint64_t total = in->Varint();
  const std::size_t size = in->Count(3);
  if (k < 1 || k > kMaxK || total > INT64_MAX || size > k || (size == 0) != (total == 0)) {
    in->Fail();
    return SpaceSaving();
  }
  SpaceSaving sketch(static_cast<std::uint32_t>(k));
  sketch.total_ = static_cast<std::int64_t>(total);
  for (std::size_t i = 0; i < size; ++i) {
    const std::string_view key = in->Bytes();
    const std::uint64_t count = in->Varint();
    const std::uint64_t error = in->Varint();
    if (key.size() > limits::kTopKeyBytesMax || count < 1 || count > INT64_MAX || error > count) {
      in->Fail();
    }
    if (!in->ok()) return SpaceSaving();
    Entry entry{.key = std::string(key),
                .count = static_cast<std::int64_t>(count),
                .error = static_cast<std::int64_t>(error)};
    const std::uint64_t hash = Hash64(key);
    const bool in_order = i == 0 || Before(sketch.entries_.back(), entry);
    if (!in_order || sketch.Find(key, hash) != kNone) {
      in->Fail();
      return SpaceSaving();
    }
    sketch.Append(std::move(entry), hash);
  }
  sketch.complete_ = size < k;
  return sketch;
}

}  // namespace tocsin

#include "detectors/statistics/top_window.h"

#include <algorithm>
#include <utility>

#include "core/limits.h"
#include "core/math.h"

namespace tocsin {
namespace {

void WriteCounts(const std::array<std::int64_t, 2>& counts, ByteWriter* out) {
  for (const std::int64_t count : counts) out->Varint(static_cast<std::uint64_t>(count));
}

std::array<std::int64_t, 2> ReadCounts(ByteReader* in) {
  std::array<std::int64_t, 2> counts{};
  for (std::int64_t& count : counts) {
    const std::uint64_t value = in->Varint();
    if (value > INT64_MAX) in->Fail();
    count = in->ok() ? static_cast<std::int64_t>(value) : 0;
  }
  return counts;
}

}  // namespace

std::int64_t TopWindow::Item::Sum() const { return SaturatingAdd(counts[0], counts[1]); }

std::vector<TopWindow::Item> TopWindow::Unpack() const {
  std::vector<Item> items;
  ByteReader in(items_);
  while (in.remaining() > 0 && in.ok()) {
    Item& item = items.emplace_back();
    item.key = std::string(in.Bytes());
    item.counts = ReadCounts(&in);
  }
  return items;
}

void TopWindow::Pack(const std::vector<Item>& items) {
  ByteWriter out;
  for (const Item& item : items) {
    if (item.Sum() == 0) continue;
    out.Bytes(item.key);
    WriteCounts(item.counts, &out);
  }
  items_ = std::string(out.view());  // a copy has no spare capacity
}

template <typename Change>
void TopWindow::ForEach(Change change) {
  change(&totals_);
  std::vector<Item> items = Unpack();
  for (Item& item : items) change(&item.counts);
  Pack(items);
}

void TopWindow::Rotate() {
  ForEach([](Counts* counts) { *counts = {0, (*counts)[0]}; });
}

void TopWindow::ForgetOlder() {
  ForEach([](Counts* counts) { (*counts)[1] = 0; });
}

void TopWindow::Clear() {
  totals_ = {};
  items_ = std::string();
}

void TopWindow::Add(const SpaceSaving& pane) {
  totals_[0] = SaturatingAdd(totals_[0], pane.total());
  std::vector<Item> added, merged;
  for (const SpaceSaving::Entry& entry : pane.entries()) {
    if (entry.count > entry.error) added.push_back({.key = entry.key});
    if (entry.count > entry.error) added.back().counts[0] = entry.count - entry.error;
  }
  if (added.empty()) return;
  const auto by_key = [](const Item& a, const Item& b) { return a.key < b.key; };
  std::sort(added.begin(), added.end(), by_key);
  std::vector<Item> known = Unpack();
  merged.reserve(added.size() + known.size());
  std::merge(std::make_move_iterator(known.begin()), std::make_move_iterator(known.end()),
             std::make_move_iterator(added.begin()), std::make_move_iterator(added.end()),
             std::back_inserter(merged), by_key);
  // For one key the known item comes first.
  std::vector<Item> items;
  items.reserve(merged.size());
  for (Item& item : merged) {
    if (items.empty() || items.back().key != item.key) {
      items.push_back(std::move(item));
    } else {
      items.back().counts[0] = SaturatingAdd(items.back().counts[0], item.counts[0]);
    }
  }
  if (items.size() > k_) {
    std::nth_element(items.begin(), items.begin() + k_, items.end(),
                     [](const Item& a, const Item& b) {
                       const std::int64_t ours = a.Sum(), theirs = b.Sum();
                       return ours != theirs ? ours > theirs : a.key < b.key;
                     });
    items.resize(k_);
    std::sort(items.begin(), items.end(), by_key);
  }
  Pack(items);
}

SpaceSaving TopWindow::Merged() const {
  SpaceSaving merged(k_);
  for (const Item& item : Unpack()) merged.Add(item.key, item.Sum());
  if (!merged.empty()) merged.AddOther(SaturatingAdd(totals_[0], totals_[1]) - merged.total());
  return merged;
}

SpaceSaving TopWindow::Older() const {
  SpaceSaving older(k_);
  for (const Item& item : Unpack()) older.Add(item.key, item.counts[1]);
  if (!older.empty()) older.AddOther(totals_[1] - older.total());
  return older;
}

void TopWindow::Encode(ByteWriter* out) const {
  WriteCounts(totals_, out);
  out->Bytes(items_);
}

void TopWindow::Decode(ByteReader* in) {
  totals_ = ReadCounts(in);
  items_ = std::string(in->Bytes());
  ByteReader items(items_);
  std::string_view last;
  std::size_t size = 0;
  for (; items.remaining() > 0 && items.ok(); ++size) {
    const std::string_view key = items.Bytes();
    if ((size > 0 && key <= last) || key.size() > limits::kTopKeyBytesMax) items.Fail();
    last = key;
    const Counts counts = ReadCounts(&items);
    if (SaturatingAdd(counts[0], counts[1]) == 0) items.Fail();
  }
  if (!items.Done() || size > k_) in->Fail();
  if (!in->ok()) Clear();
}

}  // namespace tocsin

#include "detectors/top_window.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "core/limits.h"
#include "core/math.h"

namespace tocsin {
namespace {

std::int64_t SumOf(const std::array<std::int64_t, TopWindow::kParts>& counts) {
  return std::accumulate(counts.begin(), counts.end(), std::int64_t{0}, SaturatingAdd);
}

void WriteCounts(const std::array<std::int64_t, TopWindow::kParts>& counts, ByteWriter* out) {
  for (const std::int64_t count : counts) out->Varint(static_cast<std::uint64_t>(count));
}

std::array<std::int64_t, TopWindow::kParts> ReadCounts(ByteReader* in) {
  std::array<std::int64_t, TopWindow::kParts> counts{};
  for (std::int64_t& count : counts) {
    const std::uint64_t value = in->Varint();
    if (value > INT64_MAX) in->Fail();
    count = in->ok() ? static_cast<std::int64_t>(value) : 0;
  }
  return counts;
}

}  // namespace

TopWindow::TopWindow(int window_panes, std::uint32_t k)
    : panes_per_part_((window_panes + static_cast<int>(kParts) - 2) /
                      (static_cast<int>(kParts) - 1)),
      k_(k) {}

std::int64_t TopWindow::Item::Sum() const { return SumOf(counts); }

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
  items_ = std::string(out.view());  // a copy takes no more than it must
}

bool TopWindow::NextPane() {
  if (panes_ < panes_per_part_) {
    ++panes_;
    return false;
  }
  panes_ = 1;
  const auto age = [](Counts* counts) {
    std::move_backward(counts->begin(), counts->end() - 1, counts->end());
    counts->front() = 0;
  };
  age(&totals_);
  std::vector<Item> items = Unpack();
  for (Item& item : items) age(&item.counts);
  Pack(items);
  return true;
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
  // Of one key the known item comes first.
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
  if (!merged.empty()) merged.AddOther(SumOf(totals_) - merged.total());
  return merged;
}

void TopWindow::Encode(ByteWriter* out) const {
  out->Varint(static_cast<std::uint64_t>(panes_));
  WriteCounts(totals_, out);
  out->Bytes(items_);
}

void TopWindow::Decode(ByteReader* in) {
  const std::uint64_t panes = in->Varint();
  if (panes > static_cast<std::uint64_t>(panes_per_part_)) in->Fail();
  totals_ = ReadCounts(in);
  items_ = std::string(in->Bytes());
  ByteReader items(items_);
  std::string_view last;
  std::size_t size = 0;
  for (; items.remaining() > 0 && items.ok(); ++size) {
    const std::string_view key = items.Bytes();
    if ((size > 0 && key <= last) || key.size() > limits::kTopKeyBytesMax) items.Fail();
    last = key;
    if (SumOf(ReadCounts(&items)) == 0) items.Fail();
  }
  if (!items.Done() || size > k_) in->Fail();
  panes_ = in->ok() ? static_cast<int>(panes) : 0;
  if (!in->ok()) items_.clear();
}

}  // namespace tocsin

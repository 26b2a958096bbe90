#include "detectors/statistics/mix.h"

#include <algorithm>
#include <string>

#include "core/hash.h"
#include "core/math.h"

namespace tocsin {
namespace {

std::uint32_t Add32(std::uint32_t a, std::int64_t b) {
  return static_cast<std::uint32_t>(
      std::min<std::int64_t>(UINT32_MAX, SaturatingAdd(static_cast<std::int64_t>(a), b)));
}

// Sorts by key and adds up equal ones.
void SumByKey(std::vector<Mix::Part>* parts) {
  std::sort(parts->begin(), parts->end(),
            [](const Mix::Part& a, const Mix::Part& b) { return a.key < b.key; });
  std::size_t size = 0;
  for (const Mix::Part& part : *parts) {
    if (size > 0 && (*parts)[size - 1].key == part.key) {
      (*parts)[size - 1].count = SaturatingAdd((*parts)[size - 1].count, part.count);
    } else {
      (*parts)[size++] = part;
    }
  }
  parts->resize(size);
}

}  // namespace

MixKey MixKeyOf(std::string_view value) { return static_cast<MixKey>(Hash64(value)); }

MixKey AgentFamily(std::string_view agent) {
  std::string family;
  family.reserve(agent.size());
  bool number = false;
  for (const char c : agent) {
    const bool digit = c >= '0' && c <= '9';
    number = digit || (number && (c == '.' || c == '_'));
    if (!number) {
      family += c;
    } else if (family.empty() || family.back() != '#') {
      family += '#';
    }
  }
  return MixKeyOf(family);
}

Mix MixOf(const SpaceSaving& top, MixKey (*key_of)(std::string_view)) {
  Mix mix;
  mix.total = top.total();
  mix.parts.reserve(top.entries().size());
  for (const SpaceSaving::Entry& entry : top.entries()) {
    if (entry.count <= entry.error) continue;
    mix.parts.push_back({.key = key_of(entry.key), .count = entry.count - entry.error});
  }
  SumByKey(&mix.parts);
  return mix;
}

void MixWindow::Add(const Mix& pane) {
  newer_total_ = SaturatingAdd(newer_total_, pane.total);
  std::vector<Item> items;
  items.reserve(items_.size() + pane.parts.size());
  auto part = pane.parts.begin();
  for (const Item& item : items_) {
    for (; part != pane.parts.end() && part->key < item.key; ++part) {
      items.push_back({.key = part->key, .newer = Add32(0, part->count)});
    }
    items.push_back(item);
    if (part != pane.parts.end() && part->key == item.key) {
      items.back().newer = Add32(item.newer, part->count);
      ++part;
    }
  }
  for (; part != pane.parts.end(); ++part) {
    items.push_back({.key = part->key, .newer = Add32(0, part->count)});
  }
  if (items.size() > k_) {
    std::nth_element(items.begin(), items.begin() + static_cast<std::ptrdiff_t>(k_), items.end(),
                     [](const Item& a, const Item& b) {
                       const std::int64_t ours = std::int64_t{a.newer} + a.older,
                                          theirs = std::int64_t{b.newer} + b.older;
                       return ours != theirs ? ours > theirs : a.key < b.key;
                     });
    items.resize(k_);
    std::sort(items.begin(), items.end(),
              [](const Item& a, const Item& b) { return a.key < b.key; });
  }
  items_ = std::vector<Item>(items.begin(), items.end());  // a copy takes no more than it must
}

void MixWindow::Rotate() {
  std::erase_if(items_, [](const Item& item) { return item.newer == 0; });
  for (Item& item : items_) item = {.key = item.key, .newer = 0, .older = item.newer};
  older_total_ = newer_total_;
  newer_total_ = 0;
}

void MixWindow::ForgetOlder() {
  std::erase_if(items_, [](const Item& item) { return item.newer == 0; });
  for (Item& item : items_) item.older = 0;
  older_total_ = 0;
}

void MixWindow::Clear() {
  items_.clear();
  newer_total_ = older_total_ = 0;
}

Mix MixWindow::Merged() const {
  Mix mix;
  mix.total = SaturatingAdd(newer_total_, older_total_);
  for (const Item& item : items_) {
    mix.parts.push_back({.key = item.key, .count = std::int64_t{item.newer} + item.older});
  }
  return mix;
}

Mix MixWindow::Older() const {
  Mix mix;
  mix.total = older_total_;
  for (const Item& item : items_) {
    if (item.older > 0) mix.parts.push_back({.key = item.key, .count = item.older});
  }
  return mix;
}

void MixWindow::Encode(ByteWriter* out) const {
  out->Signed(newer_total_);
  out->Signed(older_total_);
  out->Varint(items_.size());
  for (const Item& item : items_) {
    out->Varint(item.key);
    out->Varint(item.newer);
    out->Varint(item.older);
  }
}

void MixWindow::Decode(ByteReader* in) {
  newer_total_ = in->Signed();
  older_total_ = in->Signed();
  const std::size_t size = in->Count(3);
  if (size > k_ || newer_total_ < 0 || older_total_ < 0) in->Fail();
  items_.clear();
  items_.reserve(in->ok() ? size : 0);
  for (std::size_t i = 0; i < size && in->ok(); ++i) {
    const auto read = [in] {
      const std::uint64_t value = in->Varint();
      if (value > UINT32_MAX) in->Fail();
      return static_cast<std::uint32_t>(value);
    };
    const MixKey key = read();
    const std::uint32_t newer = read();
    items_.push_back({.key = key, .newer = newer, .older = read()});
    if (i > 0 && items_[i - 1].key >= key) in->Fail();
  }
}

void UsualMix::Learn(const Mix& seen, double gain) {
  total_ += gain * (static_cast<double>(seen.total) - total_);
  std::vector<Item> items = items_;
  for (Item& item : items) item.weight *= static_cast<float>(1 - gain);
  for (const Mix::Part& part : seen.parts) {
    const auto weight = static_cast<float>(gain * static_cast<double>(part.count));
    const auto known = std::find_if(items.begin(), items.end(),
                                    [&](const Item& item) { return item.key == part.key; });
    if (known != items.end()) {
      known->weight += weight;
    } else {
      items.push_back({.key = part.key, .weight = weight});
    }
  }
  std::sort(items.begin(), items.end(), [](const Item& a, const Item& b) {
    return a.weight != b.weight ? a.weight > b.weight : a.key < b.key;
  });
  if (items.size() > k_) items.resize(k_);
  items_ = std::vector<Item>(items.begin(), items.end());  // a copy takes no more than it must
}

double UsualMix::Share(MixKey key) const {
  for (const Item& item : items_) {
    if (item.key == key) return item.weight / total_;
  }
  return 0;
}

double UsualMix::ShareOfUnlisted() const {
  return items_.size() < k_ ? 0 : items_.back().weight / total_;
}

double UsualMix::Distance(const Mix& seen) const {
  if (empty() || seen.total <= 0) return 0;
  const auto all = static_cast<double>(seen.total);
  const double unlisted = ShareOfUnlisted();
  double distance = 0, rest = 1, usual_rest = 1;
  for (const Mix::Part& part : seen.parts) {
    const double share = static_cast<double>(part.count) / all, usual = Share(part.key);
    distance += std::max(0.0, share - std::max(usual, unlisted));
    rest -= share;
    usual_rest -= usual;
  }
  // Add the excess of the values that `seen` does not list; `usual_rest` is their usual share.
  return distance + std::max(0.0, rest - usual_rest);
}

double UsualMix::Noise(double usual, double now) const {
  // The mean deviation of a normal variable is 0.8 σ; half of all deviations are upwards.
  double sum = 0;
  for (const Item& item : items_) {
    const double share = item.weight / total_;
    sum += SquareRoot(share * std::max(0.0, 1 - share));
  }
  return 0.4 * sum * (1 / SquareRoot(std::max(1.0, usual)) + 1 / SquareRoot(std::max(1.0, now)));
}

double UsualMix::EffectiveValues() const {
  double squares = 0;
  for (const Item& item : items_) squares += item.weight / total_ * item.weight / total_;
  return squares > 0 ? 1 / squares : 0;
}

double UsualMix::ShareOfTop(std::size_t n) const {
  double share = 0;
  for (std::size_t i = 0; i < std::min(n, items_.size()); ++i) share += items_[i].weight / total_;
  return share;
}

void UsualMix::Encode(ByteWriter* out) const {
  out->Double(total_);
  out->Varint(items_.size());
  for (const Item& item : items_) {
    out->Varint(item.key);
    out->Double(item.weight);
  }
}

void UsualMix::Decode(ByteReader* in) {
  total_ = in->Double();
  const std::size_t size = in->Count(9);
  if (size > k_ || !(total_ >= 0)) in->Fail();
  items_.clear();
  items_.reserve(in->ok() ? size : 0);
  for (std::size_t i = 0; i < size && in->ok(); ++i) {
    const std::uint64_t key = in->Varint();
    const double weight = in->Double();
    if (key > UINT32_MAX || !(weight >= 0 && weight <= 1e30)) in->Fail();
    items_.push_back({.key = static_cast<MixKey>(key), .weight = static_cast<float>(weight)});
  }
}

}  // namespace tocsin

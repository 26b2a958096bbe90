#include "detectors/statistics/window.h"

#include <algorithm>
#include <limits>

#include "core/json_writer.h"

namespace tocsin {
namespace {

std::uint32_t Saturated(std::int64_t count) {
  constexpr std::int64_t kMax = std::numeric_limits<std::uint32_t>::max();
  return static_cast<std::uint32_t>(std::clamp<std::int64_t>(count, 0, kMax));
}

}  // namespace

int PanesOf(DurationUs window, DurationUs pane) {
  return static_cast<int>(std::max<std::int64_t>(1, CeilTo(window, pane) / pane));
}

CountRing::CountRing(int capacity)
    : exact_(static_cast<std::uint16_t>(std::min(capacity, kExactPanes))) {
  int slots = 0;
  const int old = capacity - 1 - kExactPanes;
  if (old > 0) {
    slot_panes_ = static_cast<std::uint16_t>((old + kSlots - 1) / kSlots);
    slots = (old + slot_panes_ - 1) / slot_panes_;
  }
  panes_.resize(static_cast<std::size_t>(exact_ + slots));
}

void CountRing::Push(std::int64_t bad, std::int64_t total) {
  head_ = head_ + 1 == exact_ ? std::uint16_t{0} : static_cast<std::uint16_t>(head_ + 1);
  if (slot_panes_ > 0) PushOld(panes_[head_]);
  panes_[head_] = {Saturated(bad), Saturated(total)};
}

void CountRing::PushOld(PaneCount pane) {
  open_ = {Saturated(std::int64_t{open_.bad} + pane.bad),
           Saturated(std::int64_t{open_.total} + pane.total)};
  if (++open_panes_ < slot_panes_) return;
  std::move_backward(panes_.begin() + exact_, panes_.end() - 1, panes_.end());
  panes_[exact_] = open_;
  open_ = {};
  open_panes_ = 0;
}

void CountRing::AddTo(int to, std::int64_t* bad, std::int64_t* total) const {
  for (int age = 0; age < std::min<int>(to, exact_); ++age) {
    *bad += At(age).bad;
    *total += At(age).total;
  }
  int rest = to - exact_;
  const auto add = [&](const PaneCount& slot, int panes) {
    if (rest <= 0) return;
    const std::int64_t part = std::min(rest, panes);
    *bad += slot.bad * part / panes;
    *total += slot.total * part / panes;
    rest -= panes;
  };
  if (open_panes_ > 0) add(open_, open_panes_);
  for (std::size_t i = exact_; i < panes_.size() && rest > 0; ++i) add(panes_[i], slot_panes_);
}

int CountRing::plotted() const { return std::min<int>(kPlotPanes, exact_); }

std::string CountRing::SharesJson(bool of_bad) const {
  JsonWriter json;
  json.BeginArray();
  for (int age = plotted() - 1; age >= 0; --age) {
    const PaneCount pane = At(age);
    if (pane.total == 0) {
      json.Null();
    } else {
      json.Number(static_cast<double>(of_bad ? pane.bad : pane.total - pane.bad) / pane.total);
    }
  }
  return json.EndArray().Take();
}

std::string CountRing::TotalsJson() const {
  JsonWriter json;
  json.BeginArray();
  for (int age = plotted() - 1; age >= 0; --age) json.Int(At(age).total);
  return json.EndArray().Take();
}

void CountRing::Encode(ByteWriter* out) const {
  const auto write = [out](PaneCount pane) {
    out->Varint(pane.bad);
    out->Varint(pane.total);
  };
  // By age, so that two rings of equal content encode equally wherever their heads are.
  for (int age = exact_ - 1; age >= 0; --age) write(At(age));
  if (slot_panes_ == 0) return;
  for (std::size_t i = exact_; i < panes_.size(); ++i) write(panes_[i]);
  write(open_);
  out->Varint(open_panes_);
}

void CountRing::Decode(ByteReader* in) {
  const auto read = [in](PaneCount* pane) {
    constexpr std::uint64_t kMax = std::numeric_limits<std::uint32_t>::max();
    const std::uint64_t bad = in->Varint(), total = in->Varint();
    if (bad > kMax || total > kMax) in->Fail();
    *pane = in->ok() ? PaneCount{static_cast<std::uint32_t>(bad), static_cast<std::uint32_t>(total)}
                     : PaneCount{};
  };
  for (PaneCount& pane : panes_) read(&pane);
  head_ = static_cast<std::uint16_t>(exact_ - 1);
  if (slot_panes_ == 0) return;
  read(&open_);
  const std::uint64_t panes = in->Varint();
  if (panes >= slot_panes_) in->Fail();
  open_panes_ = in->ok() ? static_cast<std::uint16_t>(panes) : std::uint16_t{0};
}

void WindowSum::Recount(const CountRing& ring) {
  std::int64_t newer_bad = 0, newer_total = 0;
  ring.AddTo(from_, &newer_bad, &newer_total);
  bad_ = total_ = 0;
  ring.AddTo(to_, &bad_, &total_);
  total_ -= newer_total;
  bad_ = std::min(bad_ - newer_bad, total_);  // because parts of slots are rounded
}

void PlotRing::Push(double value) {
  if (values_.size() < static_cast<std::size_t>(kPlotPanes)) {
    values_.push_back(value);
    return;
  }
  values_[next_] = value;
  next_ = (next_ + 1) % values_.size();
}

std::string PlotRing::Json() const {
  JsonWriter json;
  json.BeginArray();
  for (std::size_t i = 0; i < values_.size(); ++i) {
    json.Number(values_[(next_ + i) % values_.size()]);
  }
  return json.EndArray().Take();
}

void PlotRing::Encode(ByteWriter* out) const {
  out->Varint(values_.size());
  for (std::size_t i = 0; i < values_.size(); ++i) {
    out->Double(values_[(next_ + i) % values_.size()]);
  }
}

void PlotRing::Decode(ByteReader* in) {
  const std::size_t size = in->Count(8);
  if (size > static_cast<std::size_t>(kPlotPanes)) in->Fail();
  values_.clear();
  next_ = 0;
  for (std::size_t i = 0; in->ok() && i < size; ++i) values_.push_back(in->Double());
}

}  // namespace tocsin

#include "detectors/window.h"

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

void CountRing::Push(std::int64_t bad, std::int64_t total) {
  head_ = head_ + 1 == panes_.size() ? 0 : head_ + 1;
  panes_[head_] = {Saturated(bad), Saturated(total)};
}

std::string CountRing::SharesJson(bool of_bad) const {
  JsonWriter json;
  json.BeginArray();
  for (int age = std::min(kPlotPanes, capacity()) - 1; age >= 0; --age) {
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
  for (int age = std::min(kPlotPanes, capacity()) - 1; age >= 0; --age) json.Int(At(age).total);
  return json.EndArray().Take();
}

void CountRing::Encode(ByteWriter* out) const {
  // By age, so that two rings of equal content encode equally wherever their heads are.
  for (int age = capacity() - 1; age >= 0; --age) {
    out->Varint(At(age).bad);
    out->Varint(At(age).total);
  }
}

void CountRing::Decode(ByteReader* in) {
  constexpr std::uint64_t kMax = std::numeric_limits<std::uint32_t>::max();
  for (PaneCount& pane : panes_) {
    const std::uint64_t bad = in->Varint(), total = in->Varint();
    if (bad > kMax || total > kMax) in->Fail();
    pane = in->ok() ? PaneCount{static_cast<std::uint32_t>(bad), static_cast<std::uint32_t>(total)}
                    : PaneCount{};
  }
  head_ = panes_.size() - 1;
}

void WindowSum::Recount(const CountRing& ring) {
  bad_ = total_ = 0;
  for (int age = from_; age < to_; ++age) {
    bad_ += ring.At(age).bad;
    total_ += ring.At(age).total;
  }
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

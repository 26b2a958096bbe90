#include "panes/pane_table.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <tuple>

#include "core/check.h"
#include "core/labels.h"
#include "core/limits.h"

namespace tocsin {
namespace {

// Keys and the (other) rows of their scopes.
constexpr std::uint32_t kRowsMax = 2 * limits::kPaneKeysMax;

bool FieldIs(const Measure& measure, const Event& event) {
  std::array<char, 12> scratch;
  return measure.ref.Get(event, scratch) == measure.text;
}

bool Passes(const TableLayout& layout, const TableLayout::Step& step, const Event& event) {
  switch (step.filter) {
    case MeasureFilter::kAll:
      return true;
    case MeasureFilter::kFailed:
      return event.failed;
    case MeasureFilter::kSucceeded:
      return !event.failed;
    case MeasureFilter::kDurationAbove:
      return event.duration > step.threshold;
    case MeasureFilter::kHasDuration:
      return event.duration >= 0;
    case MeasureFilter::kFailedTransaction:
      return event.failed && event.type == EventType::kTransaction;
    case MeasureFilter::kFieldIs:
      return FieldIs(layout.measures[step.measure], event);
  }
  return false;
}

void EncodeGauge(const GaugeValue& gauge, ByteWriter* out) {
  out->Signed(gauge.samples);
  if (gauge.samples == 0) return;
  out->Signed(gauge.last_time);
  out->Double(gauge.last);
  out->Double(gauge.min);
  out->Double(gauge.max);
  gauge.sum.Encode(out);
  out->Bool(gauge.limit.has_value());
  if (gauge.limit) {
    out->Double(*gauge.limit);
    out->Signed(gauge.limit_time);
  }
}

GaugeValue DecodeGauge(ByteReader* in) {
  GaugeValue gauge;
  gauge.samples = in->Signed();
  if (gauge.samples < 0) in->Fail();
  if (gauge.samples == 0) return gauge;
  gauge.last_time = in->Signed();
  gauge.last = in->Double();
  gauge.min = in->Double();
  gauge.max = in->Double();
  gauge.sum = FixedSum::Decode(in);
  if (in->Bool()) {
    gauge.limit = in->Double();
    gauge.limit_time = in->Signed();
  }
  return gauge;
}

}  // namespace

void GaugeValue::Add(TimeUs time, double value, std::optional<double> limit_value) {
  min = samples == 0 ? value : std::min(min, value);
  max = samples == 0 ? value : std::max(max, value);
  if (samples == 0 || std::tie(time, value) > std::tie(last_time, last)) {
    last_time = time;
    last = value;
  }
  if (limit_value && (!limit || std::tie(time, *limit_value) > std::tie(limit_time, *limit))) {
    limit = limit_value;
    limit_time = time;
  }
  sum.Add(value);
  ++samples;
}

void GaugeValue::Merge(const GaugeValue& other) {
  if (other.samples == 0) return;
  if (samples == 0) {
    *this = other;
    return;
  }
  min = std::min(min, other.min);
  max = std::max(max, other.max);
  if (std::tie(other.last_time, other.last) > std::tie(last_time, last)) {
    last_time = other.last_time;
    last = other.last;
  }
  if (other.limit &&
      (!limit || std::tie(other.limit_time, *other.limit) > std::tie(limit_time, *limit))) {
    limit = other.limit;
    limit_time = other.limit_time;
  }
  sum.Merge(other.sum);
  samples += other.samples;
}

TableLayout TableLayout::Of(std::vector<Measure> measures, std::size_t scope_parts,
                            std::size_t parts) {
  std::sort(measures.begin(), measures.end(),
            [](const Measure& a, const Measure& b) { return a.ToString() < b.ToString(); });
  measures.erase(std::unique(measures.begin(), measures.end()), measures.end());
  return InOrder(std::move(measures), scope_parts, parts);
}

TableLayout TableLayout::InOrder(std::vector<Measure> measures, std::size_t scope_parts,
                                 std::size_t parts) {
  TableLayout layout;
  for (const Measure& measure : measures) {
    std::uint32_t* columns = nullptr;
    switch (measure.kind) {
      case MeasureKind::kCount:
        columns = &layout.counts;
        break;
      case MeasureKind::kSum:
        columns = &layout.sums;
        break;
      case MeasureKind::kGauge:
        columns = &layout.gauges;
        break;
      case MeasureKind::kCounter:
        columns = &layout.counters;
        break;
      case MeasureKind::kHistogram:
        columns = &layout.histograms;
        break;
      case MeasureKind::kDistinct:
        columns = &layout.distincts;
        break;
      case MeasureKind::kTopK:
        columns = &layout.tops;
        break;
    }
    layout.slots.push_back({.kind = measure.kind, .index = (*columns)++});
  }
  for (std::uint32_t i = 0; i < measures.size(); ++i) {
    const MeasureFilter filter = measures[i].filter;
    const bool failed_only =
        filter == MeasureFilter::kFailed || filter == MeasureFilter::kFailedTransaction;
    const TableLayout::Step step = {.kind = measures[i].kind,
                                    .filter = filter,
                                    .value = measures[i].value,
                                    .field = measures[i].field,
                                    .index = layout.slots[i].index,
                                    .measure = i,
                                    .threshold = measures[i].threshold};
    if (!failed_only) layout.steps.of_success.push_back(step);
    if (filter != MeasureFilter::kSucceeded) layout.steps.of_failure.push_back(step);
  }
  layout.measures = std::move(measures);
  layout.scope_parts = scope_parts;
  for (std::size_t i = 0; i < parts; ++i) {
    AppendKeyPart(kOtherValue, i < scope_parts ? &layout.other_scope : &layout.other_suffix);
  }
  return layout;
}

MeasureSlot TableLayout::SlotOf(const Measure& measure) const {
  const auto found = std::find(measures.begin(), measures.end(), measure);
  TOCSIN_CHECK(found != measures.end());
  return slots[static_cast<std::size_t>(found - measures.begin())];
}

std::string TableLayout::OtherKey(std::string_view key) const {
  if (other_suffix.empty()) return other_scope;
  ByteReader in(key);
  for (std::size_t i = 0; i < scope_parts; ++i) in.Bytes();
  return std::string(key.substr(0, key.size() - in.remaining())) + other_suffix;
}

bool TableLayout::IsOther(std::string_view key) const {
  return !key.empty() && key == OtherKey(key);
}

std::int64_t CellView::Count(MeasureSlot slot) const {
  if (table_ == nullptr) return 0;
  return table_->counts_[row_ * table_->layout_->counts + slot.index];
}

double CellView::Sum(MeasureSlot slot) const {
  if (table_ == nullptr) return 0;
  return table_->sums_[row_ * table_->layout_->sums + slot.index].ToDouble();
}

const GaugeValue& CellView::Gauge(MeasureSlot slot) const {
  static const GaugeValue kEmpty;
  if (table_ == nullptr) return kEmpty;
  return table_->gauges_[row_ * table_->layout_->gauges + slot.index];
}

const CounterSet& CellView::Counters(MeasureSlot slot) const {
  static const auto& kEmpty = *new CounterSet();  // never destroyed
  if (table_ == nullptr) return kEmpty;
  return table_->counters_[row_ * table_->layout_->counters + slot.index];
}

const LogHistogram& CellView::Histogram(MeasureSlot slot) const {
  static const LogHistogram kEmpty;
  if (table_ == nullptr) return kEmpty;
  return table_->histograms_[row_ * table_->layout_->histograms + slot.index];
}

const HyperLogLog& CellView::Distinct(MeasureSlot slot) const {
  static const HyperLogLog kEmpty;
  if (table_ == nullptr) return kEmpty;
  return table_->distincts_[row_ * table_->layout_->distincts + slot.index];
}

const SpaceSaving& CellView::Top(MeasureSlot slot) const {
  static const SpaceSaving kEmpty;
  if (table_ == nullptr) return kEmpty;
  return table_->tops_[row_ * table_->layout_->tops + slot.index];
}

std::uint32_t PaneTable::NewRow(std::string_view key) {
  const std::uint32_t row = rows();
  keys_.emplace_back(key);
  index_.emplace(keys_.back(), row);
  const std::size_t size = row + 1;
  counts_.resize(size * layout_->counts);
  sums_.resize(size * layout_->sums);
  gauges_.resize(size * layout_->gauges);
  counters_.resize(size * layout_->counters);
  histograms_.resize(size * layout_->histograms);
  distincts_.resize(size * layout_->distincts);
  if (layout_->tops > 0) {
    for (std::size_t i = 0; i < layout_->measures.size(); ++i) {
      if (layout_->slots[i].kind == MeasureKind::kTopK) tops_.emplace_back(layout_->measures[i].k);
    }
  }
  return row;
}

std::uint32_t PaneTable::Row(std::string_view key) {
  const auto found = index_.find(key);
  if (found != index_.end()) return found->second;
  if (rows() < limits::kPaneKeysMax) return NewRow(key);
  ++capped_;
  const std::string other_key = layout_->OtherKey(key);
  if (rows() + 1 < kRowsMax || index_.contains(other_key)) return FindOrNewRow(other_key);
  return FindOrNewRow(layout_->other_scope + layout_->other_suffix);
}

std::uint32_t PaneTable::FindOrNewRow(std::string_view key) {
  const auto found = index_.find(key);
  return found != index_.end() ? found->second : NewRow(key);
}

std::optional<std::uint32_t> PaneTable::FindRow(std::string_view key) const {
  const auto found = index_.find(key);
  if (found == index_.end()) return std::nullopt;
  return found->second;
}

void PaneTable::Accumulate(std::uint32_t row, const Event& event, const TableLayout::Steps& steps) {
  // Counted and ranked, as addresses are, a text is hashed once.
  std::optional<Field> hashed;
  std::uint64_t hash = 0;
  const auto hash_of = [&](Field field, std::string_view text) {
    if (hashed != field) hash = Hash64(text);
    hashed = field;
    return hash;
  };
  for (const TableLayout::Step& step : event.failed ? steps.of_failure : steps.of_success) {
    if (!Passes(*layout_, step, event)) continue;
    const std::uint32_t index = step.index;
    switch (step.kind) {
      case MeasureKind::kCount:
        counts_[row * layout_->counts + index] += event.weight;
        break;
      case MeasureKind::kSum: {
        const std::optional<double> number = NumberOf(event, step.value);
        if (number) sums_[row * layout_->sums + index].Add(*number, event.weight);
        break;
      }
      case MeasureKind::kGauge:
        if (const std::optional<double> number = NumberOf(event, step.value)) {
          gauges_[row * layout_->gauges + index].Add(event.time, *number, event.limit);
        }
        break;
      case MeasureKind::kCounter:
        counters_[row * layout_->counters + index].Add(SourceOf(event), event);
        break;
      case MeasureKind::kHistogram:
        histograms_[row * layout_->histograms + index].Add(event.duration, event.weight);
        break;
      case MeasureKind::kDistinct: {
        const std::string_view item = event.Get(step.field);
        if (!item.empty()) {
          distincts_[row * layout_->distincts + index].AddHash(hash_of(step.field, item));
        }
        break;
      }
      case MeasureKind::kTopK: {
        const std::string_view item = event.Get(step.field);
        if (item.empty()) break;
        SpaceSaving& top = tops_[row * layout_->tops + index];
        if (!top.AddAgain(item, event.weight)) {
          top.Add(item, hash_of(step.field, item), event.weight);
        }
        break;
      }
    }
  }
}

void PaneTable::Sum(const PaneTable& finer, const SummedMeasures& summed) {
  constexpr std::uint32_t kNoRow = UINT32_MAX;
  std::vector<std::uint32_t> row_of(finer.rows(), kNoRow);
  for (std::uint32_t from = 0; from < finer.rows(); ++from) {
    const std::string_view key = finer.key(from);
    // Whose events were all counted here, as they came.
    if (finer.layout_->IsOther(key)) continue;
    ByteReader in(key);
    for (std::size_t i = 0; i < summed.key_parts; ++i) in.Bytes();
    const std::uint32_t row = FindOrNewRow(key.substr(0, key.size() - in.remaining()));
    row_of[from] = row;
    const auto merge = [&](auto& ours, std::uint32_t stride, const auto& theirs,
                           std::uint32_t their_stride, const SummedMeasures::Pair& pair) {
      ours[row * stride + pair.mine].Merge(theirs[from * their_stride + pair.theirs]);
    };
    const TableLayout& theirs = *finer.layout_;
    for (const SummedMeasures::Pair& pair : summed.pairs) {
      if (pair.kind == MeasureKind::kCount) {
        counts_[row * layout_->counts + pair.mine] +=
            finer.counts_[from * theirs.counts + pair.theirs];
      } else if (pair.kind == MeasureKind::kSum) {
        merge(sums_, layout_->sums, finer.sums_, theirs.sums, pair);
      } else if (pair.kind == MeasureKind::kHistogram) {
        merge(histograms_, layout_->histograms, finer.histograms_, theirs.histograms, pair);
      } else {
        TOCSIN_CHECK(pair.kind == MeasureKind::kDistinct);
        merge(distincts_, layout_->distincts, finer.distincts_, theirs.distincts, pair);
      }
    }
  }
  for (const SummedMeasures::Top& top : summed.tops) SumTop(top, finer, row_of);
}

void PaneTable::SumTop(const SummedMeasures::Top& top, const PaneTable& finer,
                       const std::vector<std::uint32_t>& row_of) {
  struct Item {
    std::uint32_t row;
    std::int64_t count;
    std::string_view value;
  };
  std::vector<Item> items;
  for (std::uint32_t from = 0; from < finer.rows(); ++from) {
    if (row_of[from] >= rows()) continue;  // of (other)
    ByteReader in(finer.key(from));
    std::string_view value;
    while (in.remaining() > 0) value = in.Bytes();
    const std::int64_t count = finer.counts_[from * finer.layout_->counts + top.count];
    if (count > 0 && !value.empty()) items.push_back({row_of[from], count, value});
  }
  std::sort(items.begin(), items.end(), [](const Item& a, const Item& b) {
    return std::tie(a.row, b.count, a.value) < std::tie(b.row, a.count, b.value);
  });
  bool all_sums = false;
  for (std::size_t i = 0; i < items.size(); ++i) {
    const Item& item = items[i];
    SpaceSaving& sketch = tops_[item.row * layout_->tops + top.mine];
    if (i == 0 || items[i - 1].row != item.row) all_sums = sketch.empty();
    // The largest came first: where nothing was counted by itself, what has no room is smaller.
    if (all_sums && sketch.entries().size() == sketch.k()) {
      sketch.AddOther(item.count);
    } else {
      sketch.Add(item.value, item.count);
    }
  }
}

void PaneTable::Merge(const PaneTable& other) {
  capped_ += other.capped_;
  for (std::uint32_t from = 0; from < other.rows(); ++from) MergeRow(other, from, other.key(from));
}

void PaneTable::MergeRow(const PaneTable& other, std::uint32_t from, std::string_view key) {
  const std::uint32_t row = FindOrNewRow(key);
  const auto merge = [&](auto& mine, const auto& theirs, std::uint32_t stride) {
    for (std::uint32_t i = 0; i < stride; ++i)
      mine[row * stride + i].Merge(theirs[from * stride + i]);
  };
  for (std::uint32_t i = 0; i < layout_->counts; ++i) {
    counts_[row * layout_->counts + i] += other.counts_[from * layout_->counts + i];
  }
  merge(sums_, other.sums_, layout_->sums);
  merge(gauges_, other.gauges_, layout_->gauges);
  merge(counters_, other.counters_, layout_->counters);
  merge(histograms_, other.histograms_, layout_->histograms);
  merge(distincts_, other.distincts_, layout_->distincts);
  merge(tops_, other.tops_, layout_->tops);
}

PaneTable PaneTable::Translated(const TableLayout* layout,
                                const std::vector<MeasurePair>& pairs) const {
  PaneTable table(layout);
  table.capped_ = capped_;
  for (std::uint32_t from = 0; from < rows(); ++from) {
    const std::uint32_t row = table.NewRow(keys_[from]);
    const auto copy = [&](auto& theirs, std::uint32_t their_stride, const auto& ours,
                          std::uint32_t our_stride, const MeasurePair& pair) {
      theirs[row * their_stride + pair.to.index] = ours[from * our_stride + pair.from.index];
    };
    for (const MeasurePair& pair : pairs) {
      switch (pair.from.kind) {
        case MeasureKind::kCount:
          copy(table.counts_, layout->counts, counts_, layout_->counts, pair);
          break;
        case MeasureKind::kSum:
          copy(table.sums_, layout->sums, sums_, layout_->sums, pair);
          break;
        case MeasureKind::kGauge:
          copy(table.gauges_, layout->gauges, gauges_, layout_->gauges, pair);
          break;
        case MeasureKind::kCounter:
          copy(table.counters_, layout->counters, counters_, layout_->counters, pair);
          break;
        case MeasureKind::kHistogram:
          copy(table.histograms_, layout->histograms, histograms_, layout_->histograms, pair);
          break;
        case MeasureKind::kDistinct:
          copy(table.distincts_, layout->distincts, distincts_, layout_->distincts, pair);
          break;
        case MeasureKind::kTopK:
          copy(table.tops_, layout->tops, tops_, layout_->tops, pair);
          break;
      }
    }
  }
  return table;
}

std::vector<std::uint32_t> PaneTable::SortedRows() const {
  std::vector<std::uint32_t> order(rows());
  std::iota(order.begin(), order.end(), 0u);
  std::sort(order.begin(), order.end(),
            [this](std::uint32_t a, std::uint32_t b) { return keys_[a] < keys_[b]; });
  return order;
}

void PaneTable::Encode(ByteWriter* out) const {
  out->Signed(capped_);
  out->Varint(rows());
  for (const std::uint32_t row : SortedRows()) {
    out->Bytes(keys_[row]);
    for (std::uint32_t i = 0; i < layout_->counts; ++i)
      out->Signed(counts_[row * layout_->counts + i]);
    for (std::uint32_t i = 0; i < layout_->sums; ++i) sums_[row * layout_->sums + i].Encode(out);
    for (std::uint32_t i = 0; i < layout_->gauges; ++i) {
      EncodeGauge(gauges_[row * layout_->gauges + i], out);
    }
    for (std::uint32_t i = 0; i < layout_->counters; ++i) {
      counters_[row * layout_->counters + i].Encode(out);
    }
    for (std::uint32_t i = 0; i < layout_->histograms; ++i) {
      histograms_[row * layout_->histograms + i].Encode(out);
    }
    for (std::uint32_t i = 0; i < layout_->distincts; ++i) {
      distincts_[row * layout_->distincts + i].Encode(out);
    }
    for (std::uint32_t i = 0; i < layout_->tops; ++i) tops_[row * layout_->tops + i].Encode(out);
  }
}

PaneTable PaneTable::Decode(const TableLayout* layout, ByteReader* in) {
  PaneTable table(layout);
  table.capped_ = in->Signed();
  const std::size_t rows = in->Count();
  if (rows > kRowsMax) in->Fail();
  for (std::size_t r = 0; r < rows && in->ok(); ++r) {
    const std::string_view key = in->Bytes();
    if (!in->ok() || table.index_.contains(key)) {
      in->Fail();
      break;
    }
    const std::uint32_t row = table.NewRow(key);
    for (std::uint32_t i = 0; i < layout->counts; ++i) {
      table.counts_[row * layout->counts + i] = in->Signed();
    }
    for (std::uint32_t i = 0; i < layout->sums; ++i) {
      table.sums_[row * layout->sums + i] = FixedSum::Decode(in);
    }
    for (std::uint32_t i = 0; i < layout->gauges; ++i) {
      table.gauges_[row * layout->gauges + i] = DecodeGauge(in);
    }
    for (std::uint32_t i = 0; i < layout->counters; ++i) {
      table.counters_[row * layout->counters + i] = CounterSet::Decode(in);
    }
    for (std::uint32_t i = 0; i < layout->histograms; ++i) {
      table.histograms_[row * layout->histograms + i] = LogHistogram::Decode(in);
    }
    for (std::uint32_t i = 0; i < layout->distincts; ++i) {
      table.distincts_[row * layout->distincts + i] = HyperLogLog::Decode(in);
    }
    for (std::uint32_t i = 0; i < layout->tops; ++i) {
      SpaceSaving& top = table.tops_[row * layout->tops + i];
      const std::uint32_t k = top.k();
      top = SpaceSaving::Decode(in);
      if (top.k() != k) in->Fail();
    }
  }
  return table;
}

}  // namespace tocsin

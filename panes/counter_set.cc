#include "panes/counter_set.h"

#include <algorithm>

#include "core/hash.h"
#include "core/limits.h"

namespace tocsin {
namespace {

// What an event says of itself, not of what it counts.
bool IsOfTheEvent(Field field) {
  return field == Field::kId || field == Field::kTraceId || field == Field::kMessage ||
         field == Field::kException;
}

}  // namespace

void CounterValue::Add(TimeUs time, double value) {
  if (samples == 0) {
    first = value;
    first_time = time;
  } else if (value >= last) {
    increase += value - last;
  } else {
    // A reset: the counter began again from zero.
    increase += value;
    ++resets;
  }
  last = value;
  last_time = time;
  ++samples;
}

void CounterValue::AddDelta(TimeUs time, double value) {
  is_delta = true;
  if (samples == 0) first_time = time;
  last_time = std::max(last_time, time);
  increase += std::max(value, 0.0);
  ++samples;
}

void CounterValue::Merge(const CounterValue& other) {
  if (other.samples == 0) return;
  if (samples == 0) {
    *this = other;
    return;
  }
  // One series comes from one partition as a rule; where it does not, the later part follows the
  // earlier one as if they had been one log.
  const CounterValue* before = this;
  const CounterValue* after = &other;
  if (other.first_time < first_time) std::swap(before, after);
  CounterValue merged = *before;
  merged.is_delta = is_delta || other.is_delta;
  if (merged.is_delta) {
    merged.last_time = std::max(last_time, other.last_time);
  } else {
    if (after->first >= merged.last) {
      merged.increase += after->first - merged.last;
    } else {
      merged.increase += after->first;
      ++merged.resets;
    }
    merged.last = after->last;
    merged.last_time = after->last_time;
  }
  merged.increase += after->increase;
  merged.resets += after->resets;
  merged.samples += after->samples;
  *this = merged;
}

void CounterValue::Encode(ByteWriter* out) const {
  out->Signed(samples);
  if (samples == 0) return;
  out->Signed(first_time);
  out->Signed(last_time);
  out->Double(first);
  out->Double(last);
  out->Double(increase);
  out->Signed(resets);
  out->Bool(is_delta);
}

CounterValue CounterValue::Decode(ByteReader* in) {
  CounterValue counter;
  counter.samples = in->Signed();
  if (counter.samples < 0) in->Fail();
  if (counter.samples == 0) return counter;
  counter.first_time = in->Signed();
  counter.last_time = in->Signed();
  counter.first = in->Double();
  counter.last = in->Double();
  counter.increase = in->Double();
  counter.resets = in->Signed();
  counter.is_delta = in->Bool();
  return counter;
}

void CounterSet::Add(std::uint64_t source, const Event& event) {
  if (!event.value) return;
  auto found = counters_.find(source);
  if (found == counters_.end()) {
    if (counters_.size() >= limits::kCounterSourcesMax) {
      ++dropped_;
      return;
    }
    found = counters_.emplace(source, CounterValue()).first;
  }
  if (event.metric_type == MetricType::kDelta) {
    found->second.AddDelta(event.time, *event.value);
  } else {
    found->second.Add(event.time, *event.value);
  }
}

void CounterSet::Merge(const CounterSet& other) {
  dropped_ += other.dropped_;
  for (const auto& [source, counter] : other.Sorted()) {
    const auto found = counters_.find(source);
    if (found != counters_.end()) {
      found->second.Merge(counter);
    } else if (counters_.size() < limits::kCounterSourcesMax) {
      counters_.emplace(source, counter);
    } else {
      dropped_ += counter.samples;
    }
  }
}

std::vector<std::pair<std::uint64_t, CounterValue>> CounterSet::Sorted() const {
  std::vector<std::pair<std::uint64_t, CounterValue>> sorted(counters_.begin(), counters_.end());
  std::sort(sorted.begin(), sorted.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  return sorted;
}

void CounterSet::Encode(ByteWriter* out) const {
  out->Signed(dropped_);
  out->Varint(counters_.size());
  for (const auto& [source, counter] : Sorted()) {
    out->Fixed64(source);
    counter.Encode(out);
  }
}

CounterSet CounterSet::Decode(ByteReader* in) {
  CounterSet counters;
  counters.dropped_ = in->Signed();
  const std::size_t size = in->Count();
  if (size > limits::kCounterSourcesMax) in->Fail();
  std::uint64_t before = 0;
  for (std::size_t i = 0; i < size && in->ok(); ++i) {
    const std::uint64_t source = in->Fixed64();
    if (i > 0 && source <= before) in->Fail();
    before = source;
    counters.counters_.emplace(source, CounterValue::Decode(in));
  }
  return counters;
}

std::uint64_t SourceOf(const Event& event) {
  ByteWriter key;
  for (int i = 0; i < kFields; ++i) {
    const auto field = static_cast<Field>(i);
    if (event.Get(field).empty() || IsOfTheEvent(field)) continue;
    key.Varint(static_cast<std::uint64_t>(i));
    key.Bytes(event.Get(field));
  }
  key.Varint(kFields);
  for (const auto& [name, value] : event.labels) {
    key.Bytes(name);
    key.Bytes(value);
  }
  return Hash64(key.view());
}

}  // namespace tocsin

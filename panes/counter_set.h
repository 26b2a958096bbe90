// Cumulative counters of several sources in one pane: each grows, and begins again, by itself.
//
//   CounterSet counters;
//   counters.Add(SourceOf(event), event);
//   for (const auto& [source, counter] : counters.Sorted()) …
//
// A source is what one process counts under one name: all that an event says but its value, as a
// hash (two sources of 4,096 are one with a chance of 5 in 10^13). What an event of type `delta`
// says is an increase by itself, whatever came before. At most limits::kCounterSourcesMax sources,
// in log order; samples of others are dropped and counted. Value type, not thread-safe.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "core/event.h"
#include "core/time.h"
#include "core/wire.h"

namespace tocsin {

// One counter in one pane. Deltas between panes are stage 2's.
struct CounterValue {
  std::int64_t samples = 0;
  TimeUs first_time = kNoTime, last_time = kNoTime;
  double first = 0, last = 0;
  double increase = 0;  // within the pane, resets taken out; exact for integers below 2^53
  std::int64_t resets = 0;
  bool is_delta = false;  // `first` and `last` say nothing

  void Add(TimeUs time, double value);  // in log order
  void AddDelta(TimeUs time, double value);
  void Merge(const CounterValue& other);
  void Encode(ByteWriter* out) const;
  static CounterValue Decode(ByteReader* in);
  bool operator==(const CounterValue&) const = default;
};

class CounterSet {
 public:
  // Of the events' value; those without one are none.
  void Add(std::uint64_t source, const Event& event);
  void Merge(const CounterSet& other);
  // By source.
  std::vector<std::pair<std::uint64_t, CounterValue>> Sorted() const;
  std::int64_t dropped() const { return dropped_; }
  bool empty() const { return counters_.empty(); }

  void Encode(ByteWriter* out) const;
  static CounterSet Decode(ByteReader* in);
  bool operator==(const CounterSet&) const = default;

 private:
  absl::flat_hash_map<std::uint64_t, CounterValue> counters_;
  std::int64_t dropped_ = 0;  // samples
};

// The same for two events that differ in time and value alone, or in what each says of itself.
std::uint64_t SourceOf(const Event& event);

}  // namespace tocsin

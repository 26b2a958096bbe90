// Treats signals that begin together as one outage, even if nothing else connects them.
//
//   OnsetIndex onsets;
//   onsets.Put(record.sequence, signal, topology.PartOf(signal));
//   for (std::uint64_t sequence : onsets.Find(signal, {.topology = topology, …})) …
//
// Two services that fail, slow down or become unhealthy in the same half minute have a common cause
// far more often than not; docs/quality.md has the rate of false joins. Signals coincide when the
// intervals in which they began are at most `within` apart, unless
//   - the topology knows that their parts share nothing (correlate/topology.h),
//   - one of them drifts: the moment at which a disk is full says nothing about what else began
//     then,
//   - the onset of one of them is unknown or wider than kOnsetWidthMax, or
//   - they are different kinds of harm: different people respond to a security or data incident,
//     and an incident has one category, so such a signal must not get lost among the members of an
//     outage.
//
// Not thread-safe.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "core/signal.h"
#include "correlate/topology.h"

namespace tocsin {

// The default `join_window`, the allowed distance between onsets of connected signals: a wider
// onset interval does not date anything.
inline constexpr DurationUs kOnsetWidthMax = 5 * kMinuteUs;

struct Coincidence {
  const Topology& topology;
  TimeUs now = 0;         // event time at which the topology is judged
  DurationUs within = 0;  // 0: nothing coincides
};

// Whether the two signals began together.
bool Coincide(const Signal& a, const Signal& b, const Coincidence& coincidence);

// "web began within 45s of api (21:03:50 to 21:04:00 and 21:03:40 to 21:03:50); nothing else
// connects them". REQUIRES: Coincide(joined, known, …).
std::string CoincidenceText(const Signal& joined, const Signal& known, DurationUs within);

// When the members of each open incident began.
class OnsetIndex {
 public:
  void Put(std::uint64_t sequence, const Signal& signal, Topology::Part part);
  // Also forgets other members of the incident that began in the same interval.
  void Remove(std::uint64_t sequence, const Signal& signal);
  // The incidents with a member that coincides with the signal, in opening order. Compares at most
  // limits::kOnsetsComparedMax onsets near the signal's, the earliest first.
  std::vector<std::uint64_t> Find(const Signal& signal, const Coincidence& coincidence) const;

 private:
  struct Onset {
    TimeUs earliest = 0, latest = 0;
    std::uint64_t sequence = 0;
    int harm = 0;
    Topology::Part part = Topology::kNoPart;
    auto operator<=>(const Onset&) const = default;
  };
  absl::btree_set<Onset> onsets_;
  absl::btree_map<DurationUs, std::size_t> widths_;  // onsets by width; few widths differ
};

}  // namespace tocsin

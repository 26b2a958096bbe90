// What begins together is one outage, even where nothing else connects it.
//
//   OnsetIndex onsets;
//   onsets.Put(record.sequence, signal, topology.PartOf(signal));
//   for (std::uint64_t sequence : onsets.Find(signal, {.within = 45 * kSecondUs, …})) …
//
// Two services that fail, slow down or are found unhealthy from the same half minute on have a
// common cause far more often than not; docs/quality.md has the rate of false joins. Signals
// coincide when the intervals in which they began meet within `within`, unless
//   - the topology knows that their parts share nothing (correlate/topology.h),
//   - one of them drifts: when a disk is full says nothing about what else began then,
//   - one of them began at a time that nobody knows to kOnsetWidthMax, or
//   - they are of different kinds of harm. A security or a data incident is answered by other people,
//     and an incident has one category: it must not be lost among the members of an outage.
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

// As far apart as onsets of connected signals may be by default: an interval that is wider than
// that is no moment.
inline constexpr DurationUs kOnsetWidthMax = 5 * kMinuteUs;

struct Coincidence {
  const Topology& topology;
  TimeUs now = 0;         // what is known of the topology is as of then
  DurationUs within = 0;  // 0: nothing coincides
};

// Whether the two began together.
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
  // The incidents with a member that coincides with the signal, in opening order. Of more onsets
  // near it than limits::kOnsetsComparedMax the earliest are compared.
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
  absl::btree_map<DurationUs, std::size_t> widths_;  // how many have it; few are different
};

}  // namespace tocsin

// What an incident has cost since its onset.
//
//   ImpactTally tally;
//   tally.Add(signal, impact);            // every pane of a firing signal
//   Impact total = tally.Total();         // users_total is the caller's
//
// The same failed request is counted on the series of its endpoint, of its service and of the whole
// scope. To avoid counting it several times, series form a tree: the parent of a series is the one
// with the most labels among those whose labels are a subset of its own. A series counts as the
// larger of its own count and the sum of its children, and the total is the sum over the roots.
// Transactions and other failed requests are counted separately. Users are a merged sketch, in
// which overlap does no harm. At most limits::kIncidentSignalsMax series; past the limit failures
// are not counted, and capped() is true. Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/hyperloglog.h"
#include "core/incident.h"
#include "core/signal.h"
#include "core/wire.h"

namespace tocsin {

class ImpactTally {
 public:
  void Add(const Signal& signal, const SignalImpact& impact);
  // For a signal that its incident does not list.
  void AddUnlisted(const SignalImpact& impact);
  void Absorb(const ImpactTally& other);

  Impact Total() const;
  // Distinct users with a failed event on series whose detector can mean *down*. Detectors of
  // slowness are excluded, because failures on a slow series are background failures.
  std::int64_t UsersDown() const;
  // A limit was reached somewhere, so the number of users is unknown.
  bool capped() const { return capped_; }

  void Encode(ByteWriter* out) const;
  static ImpactTally Decode(ByteReader* in);

 private:
  struct Counts {
    std::int64_t other = 0;  // failed events that are not transactions
    std::int64_t transactions = 0;
    double amount = 0;
    void Add(const Counts& counts);
    void Raise(const Counts& counts);
  };
  struct Series {
    Labels labels;
    Counts counts;
  };
  using Entry = std::map<std::string, Series>::value_type;
  static std::vector<std::size_t> Parents(const std::vector<const Entry*>& series);

  // By detector and series: a series that fires again adds to its earlier counts.
  std::map<std::string, Series> series_;
  HyperLogLog users_;
  HyperLogLog users_down_;
  bool capped_ = false;
};

}  // namespace tocsin

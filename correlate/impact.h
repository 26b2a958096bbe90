// What an incident has cost since its onset.
//
//   ImpactTally tally;
//   tally.Add(signal, impact);            // every pane of a firing signal
//   Impact total = tally.Total();         // users_total is the caller's
//
// The same failed request is counted on the series of its endpoint, of its service and of the whole
// scope. A series therefore stands below the tightest one whose labels are among its own, and
// counts as the larger of itself and the sum below it; only the uppermost are added up. Requests
// and transactions are told apart first. Users are a merged sketch, so that overlap does no harm.
// At most limits::kIncidentSignalsMax series; past it, failures are not counted and capped() says
// so. Not thread-safe.
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
  // Of a signal that its incident does not list.
  void AddUnlisted(const SignalImpact& impact);
  void Absorb(const ImpactTally& other);

  Impact Total() const;
  // Distinct users with a failed event on series whose detector can mean *down*. Slowness is no
  // failure, and the background failures of a slow series are not its own.
  std::int64_t UsersDown() const;
  // A cap was hit somewhere: users cannot be counted honestly.
  bool capped() const { return capped_; }

  void Encode(ByteWriter* out) const;
  static ImpactTally Decode(ByteReader* in);

 private:
  struct Counts {
    std::int64_t other = 0;  // failed, but no transactions
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

  // By detector and series: one that fires again goes on where it stopped.
  std::map<std::string, Series> series_;
  HyperLogLog users_;
  HyperLogLog users_down_;
  bool capped_ = false;
};

}  // namespace tocsin

// Which service calls which dependency, learned from `query` events: edges of the topology that
// need no configuration.
//
//   CallLog calls;
//   if (calls.Add({.service = "api", .dependency = "orders-db"}, pane_end)) …   // it is new
//
// One per scope, at most limits::kCallsMax calls; past the limit new calls are not learned, and
// signals are grouped as if there had been no such call. The caller decides after how long an
// unseen call is forgotten. Not thread-safe.
#pragma once

#include <compare>
#include <map>
#include <string>

#include "core/time.h"
#include "core/wire.h"

namespace tocsin {

struct Call {
  std::string service, dependency;
  auto operator<=>(const Call&) const = default;
};

class CallLog {
 public:
  // Returns whether the call is new. Ignores calls with an empty or (other) name and calls of a
  // service to itself.
  bool Add(const Call& call, TimeUs seen);
  // Forgets calls last seen before `time`; returns whether there were any.
  bool ForgetBefore(TimeUs time);

  struct Seen {
    TimeUs first = kNoTime, last = kNoTime;
  };
  const std::map<Call, Seen>& seen() const { return seen_; }
  // At the limit: there may be calls that were not learned.
  bool full() const;

  void Encode(ByteWriter* out) const;
  static CallLog Decode(ByteReader* in);

 private:
  std::map<Call, Seen> seen_;
};

}  // namespace tocsin

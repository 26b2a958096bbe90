// Which service calls which dependency, as `query` events tell: edges of the topology that nobody
// had to configure.
//
//   CallLog calls;
//   if (calls.Add({.service = "api", .dependency = "orders-db"}, pane_end)) …   // it is new
//
// One per scope, at most limits::kCallsMax; past it new ones are not learned, so that signals are
// grouped as if there had been no such call. A call is forgotten once it was not seen for so long
// as the caller says. Not thread-safe.
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
  // Whether it was not known. One that says nothing, or that a service makes to itself, is none.
  bool Add(const Call& call, TimeUs seen);
  // Forgets those last seen before `time`; whether there were any.
  bool ForgetBefore(TimeUs time);

  struct Seen {
    TimeUs first = kNoTime, last = kNoTime;
  };
  const std::map<Call, Seen>& seen() const { return seen_; }
  // There may be calls that were not learned.
  bool full() const;

  void Encode(ByteWriter* out) const;
  static CallLog Decode(ByteReader* in);

 private:
  std::map<Call, Seen> seen_;
};

}  // namespace tocsin

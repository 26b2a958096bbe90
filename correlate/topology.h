// What needs what: the configured topology, and the calls that were seen.
//
//   Topology topology(config.correlate.topology, scope.calls);   // {api: [orders-db, payments]}
//   topology.Reaches({"web"}, {"orders-db", true});          // true if web needs api
//
// A component is a service or a dependency; both share one name space, because one team's service
// is another's dependency. "Upstream" of a component is what it needs, transitively: the side that
// causes come from. In the configuration the key "*" stands for every service and the value "*" for
// every dependency, so that a profile can say that all services of a small system need its database
// without knowing their names.
//
// Components between which a chain of needs leads, followed in either direction, are in one part:
// they share something that may fail, or a caller that may overwhelm them. Those of two parts share
// nothing, as far as is known. The configuration knows at once; what is learned from calls is
// believed kCallsKnownAfter the first of a part was seen, and not while calls go unlearned because
// of their limit. Immutable but for assignment, thread-compatible.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/signal.h"
#include "correlate/calls.h"

namespace tocsin {

struct Component {
  std::string name;
  bool dependency = false;
  auto operator<=>(const Component&) const = default;
};

// The components that a signal's series names: service first, then dependency. A value beyond the
// key limit ("(other)") names nothing.
std::vector<Component> ComponentsOf(const Signal& signal);

class Topology {
 public:
  // As long as a baseline takes to be warm: by then whatever a service does often was seen.
  static constexpr DurationUs kCallsKnownAfter = 30 * kMinuteUs;

  Topology() = default;
  explicit Topology(const std::map<std::string, std::vector<std::string>>& needs,
                    const CallLog& calls = {});

  // The components at the other end of an edge, in either direction.
  struct Neighbours {
    std::set<std::string> names;
    bool every_service = false;
    bool every_dependency = false;
  };
  Neighbours NeighboursOf(const Component& component) const;

  // Whether `from` needs `to` directly.
  bool Needs(const Component& from, const Component& to) const;
  // Whether `from` needs `to` directly or through others; never true of a component and itself.
  bool Reaches(const Component& from, const Component& to) const;

  // The part that all components of the signal are in; kNoPart where one of them is in none, and
  // where it has none.
  using Part = std::int32_t;
  static constexpr Part kNoPart = -1;
  Part PartOf(const Signal& signal) const;
  // Whether the two are known, as of `now`, to share nothing.
  bool KnownApart(Part a, Part b, TimeUs now) const;

 private:
  using Edges = std::map<std::string, std::set<std::string>, std::less<>>;
  static bool Holds(const Edges& edges, std::string_view from, const Component& to);
  void Close();
  void Divide(const std::map<std::string, std::vector<std::string>>& needs, const CallLog& calls);
  Part PartOf(const Component& component) const;

  Edges needs_;      // as configured and seen
  Edges needed_by_;  // reversed, without the value "*"
  Edges upstream_;   // needs_, closed transitively
  std::map<std::string, Part, std::less<>> parts_;
  Part every_service_ = kNoPart, every_dependency_ = kNoPart;  // of "*" as key and as value
  std::vector<TimeUs> known_from_;                             // by part
};

}  // namespace tocsin

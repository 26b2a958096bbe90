// Which component needs which: the configured topology, and the calls that were seen.
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
// A part is a connected component of this graph, ignoring the direction of edges: members of one
// part share something that may fail, or a caller that may overload them. Members of different
// parts share nothing, as far as is known. Configured parts are known at once. A part learned from
// calls counts as known kCallsKnownAfter its first call was seen, and not while the call limit
// keeps calls from being learned. Immutable but for assignment, thread-compatible.
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

// The components that a signal's series names: service first, then dependency. The value "(other)",
// which stands for keys past a limit, names none.
std::vector<Component> ComponentsOf(const Signal& signal);

class Topology {
 public:
  // As long as a baseline takes to warm up: by then every call that a service makes often was seen.
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

  // The part that contains all components of the signal; kNoPart if there is none, also if the
  // signal has no components.
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
  Edges upstream_;   // transitive closure of needs_
  std::map<std::string, Part, std::less<>> parts_;
  Part every_service_ = kNoPart,
       every_dependency_ = kNoPart;  // of "*" as key, as value
  std::vector<TimeUs> known_from_;   // by part
};

}  // namespace tocsin

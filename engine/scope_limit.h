// Which scopes are told apart: a label of the scope that explodes must not cost a topology, a count
// of users and a set of series for each of its values.
//
//   ScopeLimit scopes(&plan);
//   for (const std::string& gone : scopes.Take(tick, busy, &tables, &facts)) …   // forget it
//
// At most kScopesMax, the new ones of a tick in the order of their keys. What belongs to others moves
// to one scope, all values of which are (other): every table has one row for it, so that it is still
// watched as a whole. Where there is no room the scope that was seen longest ago makes some (ties by
// key), if that was an hour ago and nothing is open in it. Deterministic; a look-up a row; not
// thread-safe.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "core/fact.h"
#include "core/time.h"
#include "core/wire.h"
#include "panes/pane_table.h"
#include "panes/plan.h"

namespace tocsin {

// Calls `visit` with the scope of each row, once for neighbours.
void VisitScopes(const PaneTable& table, const Plan& plan,
                 absl::FunctionRef<void(std::string_view)> visit);

class ScopeLimit {
 public:
  static constexpr std::size_t kScopesMax = 1'000;
  static constexpr DurationUs kIdleMin = kHourUs;

  using Tables = std::vector<std::optional<PaneTable>>;
  using Facts = std::vector<std::pair<std::string, Fact>>;  // (scope, fact)

  // `plan` outlives it.
  explicit ScopeLimit(const Plan* plan, std::size_t scopes_max = kScopesMax);

  // Of one tick. `busy`: something is open in that scope. Returns the scopes that made room.
  std::vector<std::string> Take(TimeUs tick, absl::FunctionRef<bool(std::string_view)> busy,
                                Tables* tables, Facts* facts);
  // Knows a scope that is there already, also past the limit: of a state that did not say.
  void Adopt(std::string_view scope, TimeUs tick) { seen_.emplace(scope, tick); }
  // The same for a tick that was decided before: no scope comes or goes.
  void Fold(Tables* tables) const;
  // The scope of those that are not told apart, of so many fields.
  static std::string OtherOf(std::size_t fields);
  const std::string& other() const { return other_; }
  std::size_t size() const { return seen_.size(); }

  void Encode(ByteWriter* out) const;
  // Leaves out those of another configuration of `scope`.
  void Decode(ByteReader* in);

 private:
  using Scopes = std::set<std::string_view>;
  // Those that are not known yet; the others were seen.
  Scopes Look(TimeUs tick, const Tables& tables, const Facts& facts);
  std::vector<std::string> Admit(const Scopes& scopes, TimeUs tick,
                                 absl::FunctionRef<bool(std::string_view)> busy);
  // Whether it is told apart; any is while there is room.
  bool Admits(std::string_view scope) const {
    return scope == other_ || seen_.size() < scopes_max_ || seen_.contains(scope);
  }

  const Plan* plan_;
  std::size_t scopes_max_;
  std::string other_;
  std::map<std::string, TimeUs, std::less<>> seen_;  // the last tick with something of the scope
};

}  // namespace tocsin

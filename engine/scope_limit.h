// Limits the number of scopes that are kept apart: a scope label whose number of values explodes
// must not cost a topology, a user count and a set of series for each value.
//
//   ScopeLimit scopes(&plan);
//   for (const std::string& gone : scopes.Take(tick, busy, &tables, &facts)) …   // forget it
//
// At most kScopesMax scopes are kept apart; new scopes of one tick are admitted in key order. Data
// of further scopes moves to one scope whose values are all (other): every table has one row for
// it, so it is still watched as a whole. When the limit is reached, a new scope replaces the least
// recently seen one (ties by key) that was last seen at least kIdleMin ago and has nothing open.
// Deterministic; costs one look-up per row; not thread-safe.
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

// Calls `visit` with the scope of each row; consecutive rows of one scope cause one call.
void VisitScopes(const PaneTable& table, const Plan& plan,
                 absl::FunctionRef<void(std::string_view)> visit);

class ScopeLimit {
 public:
  static constexpr std::size_t kScopesMax = 1'000;
  static constexpr DurationUs kIdleMin = kHourUs;

  using Tables = std::vector<std::optional<PaneTable>>;
  using Facts = std::vector<std::pair<std::string, Fact>>;  // (scope, fact)

  // `plan` outlives the object.
  explicit ScopeLimit(const Plan* plan, std::size_t scopes_max = kScopesMax);

  // Applies the limit to the data of one tick. `busy`: whether something is open in that scope.
  // Returns the evicted scopes.
  std::vector<std::string> Take(TimeUs tick, absl::FunctionRef<bool(std::string_view)> busy,
                                Tables* tables, Facts* facts);
  // Adds a scope that already exists, even past the limit; for a state without a scope section.
  void Adopt(std::string_view scope, TimeUs tick) { seen_.emplace(scope, tick); }
  // Applies the limit to a tick that was decided before: admits and evicts no scope.
  void Fold(Tables* tables) const;
  // The (other) scope of a configuration with this many scope fields.
  static std::string OtherOf(std::size_t fields);
  const std::string& other() const { return other_; }
  std::size_t size() const { return seen_.size(); }

  void Encode(ByteWriter* out) const;
  // Skips scopes with another number of fields than the configured `scope`.
  void Decode(ByteReader* in);

 private:
  using Scopes = std::set<std::string_view>;
  // Returns the unknown scopes and marks the known ones as seen in this tick.
  Scopes Look(TimeUs tick, const Tables& tables, const Facts& facts);
  std::vector<std::string> Admit(const Scopes& scopes, TimeUs tick,
                                 absl::FunctionRef<bool(std::string_view)> busy);
  // Whether the scope is kept apart; every scope is while there is room.
  bool Admits(std::string_view scope) const {
    return scope == other_ || seen_.size() < scopes_max_ || seen_.contains(scope);
  }

  const Plan* plan_;
  std::size_t scopes_max_;
  std::string other_;
  std::map<std::string, TimeUs, std::less<>> seen_;  // → last tick with data of the scope
};

}  // namespace tocsin

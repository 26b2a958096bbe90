// From signals to incidents: grouping, severity, suspects, and the life of an incident.
//
//   Correlator correlator(config);
//   CorrelatorOutput out;
//   correlator.Tick({.tick = t, .changes = …, .impacts = …, .facts = …, .users = …}, &out);
//   // out.lines: incidents that changed;  out.notifications: what to send to sinks
//
// Stage 2 calls it once a tick, with changes sorted (SignalBefore) and facts sorted (FactBefore);
// all scopes are kept apart inside. Deterministic, sequential, no clock. State goes into snapshots
// by Encode/Decode. Not thread-safe.
//
// Grouping: a signal joins an open incident of its scope, within `join_window` of its onset or
// while it still fires and has got worse in the last 45 min (correlate/belonging.h), if they share
// service, dependency, a topology edge (configured, or learned from calls), a suspected deploy or
// an attacking address; missing values are not equal. Signals that begin together join even if
// nothing else connects them (correlate/coincidence.h). When a signal connects two open incidents,
// the older absorbs the younger, which resolves as merged_into (correlate/membership.h).
//
// Paging: the first page waits one tick for a cause upstream, except at level 1. A rise in severity
// triggers the higher key and resolves the lower one after its receipt; a fall does neither.
//
// Life: all signals clear → monitoring; clear for `watch` → resolved (never in a partial tick),
// which resolves every triggered key. A signal that fires while monitoring reopens the incident; a
// signal that only continues updates its own title and evidence. Muted incidents
// (correlate/muting.h) are processed in the same way but trigger nothing. Operator actions come in
// by Apply, between ticks.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"
#include "core/delivery.h"
#include "core/fact.h"
#include "core/hyperloglog.h"
#include "core/incident.h"
#include "core/operator_action.h"
#include "core/signal.h"
#include "correlate/calls.h"
#include "correlate/deploys.h"

namespace tocsin {

// Titles of signals come from the detectors; the correlator does not know them.
struct TitledChange {
  SignalChange change;
  std::string title;
};

// The distinct users of one scope in the last 60 minutes.
struct ScopeUsers {
  std::string scope;
  double distinct = 0;
};

// A service was seen to call a dependency.
struct ScopedCall {
  std::string scope;
  Call call;
};

struct CorrelatorInput {
  TimeUs tick = 0;
  TimeUs pane_end = 0;  // event time decided up to this tick
  bool partial = false;
  std::span<const TitledChange> changes;
  std::span<const SignalImpact> impacts;                // of firing signals, sorted by signal id
  std::span<const std::pair<std::string, Fact>> facts;  // (scope, fact)
  std::span<const ScopeUsers> users;                    // sorted by scope
  std::span<const ScopedCall> calls = {};
};

struct CorrelatorOutput {
  std::vector<Incident> lines;              // one per incident that changed, revision raised
  std::vector<Notification> notifications;  // in the order of sending
};

// Durations of all incidents so far, in event time.
struct LifeTimes {
  struct Sum {
    std::int64_t count = 0;
    DurationUs total = 0;
    void Add(DurationUs duration) {
      ++count;
      total += duration;
    }
  };
  Sum detect;       // from onset to the opening
  Sum page;         // from onset to the first page
  Sum acknowledge;  // from the opening to the first acknowledgement
  Sum resolve;      // from the opening to the resolution
};

class Correlator {
 public:
  explicit Correlator(const Config& config);  // `config` outlives it
  ~Correlator();
  Correlator(Correlator&&) noexcept;

  // Replaces the content of `out`. Changes of one tick may come in any order.
  void Tick(const CorrelatorInput& input, CorrelatorOutput* out);

  // Applies an operator action taken after `tick`, the last tick decided. Replaces the content of
  // `out`, which stays empty if there is no such open incident or the action is a repetition.
  void Apply(const OperatorAction& act, TimeUs tick, CorrelatorOutput* out);

  // Incidents that are not resolved, by scope and opening order.
  std::vector<const Incident*> Open() const;
  // The scope's releases and rollbacks with a time in [from, to], in order of time. Valid until the
  // next Tick.
  std::span<const Deploy> Deploys(std::string_view scope, TimeUs from, TimeUs to) const;

  // Whether an incident is open in this scope.
  bool HasOpen(std::string_view scope) const;
  // Forgets the scope's deploys and calls. Its incident numbers are kept unless there are more than
  // 10,000 scopes. REQUIRES: nothing is open in it.
  void Forget(std::string_view scope);

  // Silences added by operators that are not over.
  std::vector<Silence> Silences() const;
  const LifeTimes& times() const;

  void Encode(ByteWriter* out) const;
  // Replaces the state; it is empty if `in` is malformed.
  void Decode(ByteReader* in);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tocsin

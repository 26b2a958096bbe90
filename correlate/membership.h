// Which open incident each signal is in.
//
//   Membership membership(config);
//   membership.Join(std::move(signal), title, {.tick = t, .now = pane_end}, &scope);
//   if (IncidentRecord* record = membership.RecordOf(signal_id)) …
//   IncidentRecord* record = membership.Find(incident_id);
//
// A firing signal joins the oldest open incident of its scope that it belongs to
// (correlate/grouping.h, belonging.h); that incident absorbs the younger ones that the signal
// belongs to as well. Otherwise it joins an incident that explains it; otherwise one that it
// coincides with (coincidence.h); otherwise it opens its own, which lists the incidents that it is
// beside. Coincidence never ends a page: it only merges incidents that nobody was notified of;
// apart from that it adds the signal to the oldest coinciding incident. Holds pointers to every
// firing signal's scope and every open incident; scopes and records must not move. Not thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "config/config.h"
#include "core/signal.h"
#include "correlate/record.h"
#include "correlate/scope.h"

namespace tocsin {

struct MembershipTime {
  TimeUs tick = 0;
  TimeUs now = 0;  // event time decided so far
};

class Membership {
 public:
  explicit Membership(const Config& config) : config_(config) {}  // `config` outlives it

  // Indexes a scope whose incidents were decoded.
  void Restore(Scope* scope);

  // A signal that fired or whose level rose.
  void Join(Signal signal, const std::string& title, const MembershipTime& time, Scope* scope);
  void Clear(Signal signal, TimeUs tick);
  // Nothing more will be reported for this signal.
  void Forget(const Hash128& signal) { owners_.erase(signal); }

  // RecordOf: the incident of a signal that was not forgotten. Find: the incident with this id.
  // nullptr if there is none.
  IncidentRecord* RecordOf(const Hash128& signal);
  IncidentRecord* Find(const Hash128& incident);

  using Incidents = std::map<std::uint64_t, IncidentRecord>;
  // Removes the incident from its scope; returns the iterator to the next one.
  Incidents::iterator Erase(Scope* scope, Incidents::iterator record);

 private:
  struct Owner {
    Scope* scope = nullptr;  // lives in a node of the map of scopes
    std::uint64_t sequence = 0;
  };
  // Hashes and compares records by incident id, so that a set of pointers needs no copy of the id.
  struct ById {
    using is_transparent = void;
    static const Hash128& IdOf(const Hash128& id) { return id; }
    static const Hash128& IdOf(const IncidentRecord* record) { return record->incident.id; }
    std::size_t operator()(const auto& key) const { return absl::HashOf(IdOf(key)); }
    bool operator()(const auto& a, const auto& b) const { return IdOf(a) == IdOf(b); }
  };
  // In opening order.
  struct Connections {
    std::vector<std::uint64_t> joined;      // the first takes the signal and absorbs the others
    std::vector<std::uint64_t> coincident;  // those in `joined` that only coincide
    std::vector<std::uint64_t> beside;
  };

  Connections Connect(const Scope& scope, const Signal& signal, TimeUs now) const;
  void ConnectByOnset(const Scope& scope, const Signal& signal, TimeUs now,
                      Connections* connections) const;
  IncidentRecord& Open(const Signal& signal, TimeUs tick, const std::vector<std::uint64_t>& beside,
                       Scope* scope);
  void Merge(std::uint64_t older, std::uint64_t younger, TimeUs tick, Scope* scope);
  // Adds to the incident's timeline which signal of `with` the signal coincides with.
  void NoteCoincidence(const Signal& signal, const IncidentRecord& with, const MembershipTime& time,
                       const Scope& scope, IncidentRecord* record) const;

  const Config& config_;
  absl::flat_hash_map<Hash128, Owner> owners_;  // by firing signal
  absl::flat_hash_set<IncidentRecord*, ById, ById> by_id_;
};

}  // namespace tocsin

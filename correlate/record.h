// An open incident with everything that the correlator remembers about it beyond its output line.
//
// Signals are listed in order of (fired_at, onset, SignalBefore), at most
// limits::kIncidentSignalsMax; a signal past the limit still counts for state and severity
// (`firing`, `severity_level`) and makes the incident partial. A value; not thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/btree_set.h"
#include "core/incident.h"
#include "core/wire.h"
#include "correlate/impact.h"

namespace tocsin {

// The author of timeline entries that tocsin adds by itself.
inline constexpr char kSelf[] = "tocsin";

struct IncidentRecord {
  std::uint64_t sequence = 0;  // opening order within the scope
  Incident incident;
  std::vector<std::string> titles;  // parallel to incident.signals
  absl::btree_set<Hash128> firing;  // also those not listed
  TimeUs opened_tick = kNoTime;
  TimeUs quiet_since = kNoTime;        // event time since which nothing fires; kNoTime while firing
  int triggered_level = 0;             // level of the open key; 0: nothing triggered yet
  TimeUs triggered_at = kNoTime;       // tick of that trigger
  std::size_t escalation_step = 0;     // next escalation step of that level
  std::vector<std::string> escalated;  // roles added by the steps taken
  TimeUs acknowledged_until = kNoTime;  // kNoTime: never expires
  int refired = 0;                      // times it fired again while monitoring or resolved
  bool resolved_by_person = false;
  TimeUs worsened_at = kNoTime;     // tick of its last new series or higher level
  TimeUs rolled_back_at = kNoTime;  // first rollback of a suspected deploy
  std::string roll_back;            // advice to roll back a suspected deploy; else empty
  ImpactTally tally;

  // What changed in this tick; all false between ticks.
  bool opened = false;
  bool members_changed = false;
  bool impact_added = false;
  bool refreshed = false;  // a member was reported as continuing
  bool line_due = false;

  // nullptr when it is not listed.
  const Signal* Find(const Hash128& signal) const;
  Signal* Find(const Hash128& signal);
  // Lists the signal, or replaces the one of its id, and keeps `firing` in step.
  void Put(const Signal& signal, const std::string& title);
  // Adds to the timeline; past its limit the second-oldest entry is removed.
  void Note(TimelineEntry entry);
  // Adds an entry whose author is kSelf.
  void NoteOwn(TimeUs at, std::string what, std::string text);
  // Moves the members, impact and severity of a younger incident here.
  void Absorb(const IncidentRecord& younger);

  // Index of the earliest of the most severe signals, which names the incident. REQUIRES: a listed
  // signal.
  std::size_t Lead() const;

  void Encode(ByteWriter* out) const;
  static IncidentRecord Decode(ByteReader* in);
};

}  // namespace tocsin

// An open incident with what the correlator remembers about it beyond its line.
//
// Signals are listed in order of (fired_at, onset, SignalBefore), at most
// limits::kIncidentSignalsMax; one past that still counts for state and severity (`firing`,
// `severity_level`) and makes the incident partial. A value; not thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/btree_set.h"
#include "core/incident.h"
#include "core/wire.h"
#include "correlate/impact.h"

namespace tocsin {

// The author of what was done by itself.
inline constexpr char kSelf[] = "tocsin";

struct IncidentRecord {
  std::uint64_t sequence = 0;  // opening order within the scope
  Incident incident;
  std::vector<std::string> titles;  // parallel to incident.signals
  absl::btree_set<Hash128> firing;  // also those not listed
  TimeUs opened_tick = kNoTime;
  TimeUs quiet_since = kNoTime;        // event time since which nothing fires; kNoTime while firing
  int triggered_level = 0;             // whose key is open; 0: nobody was told yet
  TimeUs triggered_at = kNoTime;       // tick of that
  std::size_t escalation_step = 0;     // the next one of that level
  std::vector<std::string> escalated;  // people whom the steps taken have added
  TimeUs acknowledged_until = kNoTime;  // kNoTime: for good
  int refired = 0;                      // times it fired again while it was watched
  bool resolved_by_person = false;
  TimeUs worsened_at = kNoTime;     // tick in which it last got a new series or a higher level
  TimeUs rolled_back_at = kNoTime;  // first rollback of a suspected deploy
  std::string roll_back;            // the advice that a suspected deploy gives; else empty
  ImpactTally tally;

  // What happened in this tick; all false between ticks.
  bool opened = false;
  bool members_changed = false;
  bool impact_added = false;
  bool refreshed = false;  // a member said that it still fires
  bool line_due = false;

  // nullptr when it is not listed.
  const Signal* Find(const Hash128& signal) const;
  Signal* Find(const Hash128& signal);
  // Lists the signal, or replaces the one of its id, and keeps `firing` in step.
  void Put(const Signal& signal, const std::string& title);
  // Adds to the timeline; past its limit the oldest entry but the first goes.
  void Note(TimelineEntry entry);
  // What was done by itself.
  void NoteOwn(TimeUs at, std::string what, std::string text);
  // Moves the members, impact and severity of a younger incident here.
  void Absorb(const IncidentRecord& younger);

  // The earliest of the most severe: it names the incident. REQUIRES: a listed signal.
  std::size_t Lead() const;

  void Encode(ByteWriter* out) const;
  static IncidentRecord Decode(ByteReader* in);
};

}  // namespace tocsin

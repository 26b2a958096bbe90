// Everything the correlator remembers about one scope. Incidents never cross scopes.
//
// A value; `topology`, `index`, `onsets` and `context_changed` are derived from the rest and from
// the configuration and are not encoded. Not thread-safe.
#pragma once

#include <cstdint>
#include <map>

#include "config/config.h"
#include "core/labels.h"
#include "core/wire.h"
#include "correlate/calls.h"
#include "correlate/coincidence.h"
#include "correlate/deploys.h"
#include "correlate/grouping.h"
#include "correlate/record.h"
#include "correlate/topology.h"

namespace tocsin {

struct Scope {
  Labels labels;
  std::uint64_t next_sequence = 0;
  std::map<int, std::int64_t> numbers;  // by UTC year: last incident number assigned
  std::int64_t users = 0;               // distinct in the last 60 min, 0 when unknown
  DeployLog deploys;
  CallLog calls;
  std::map<std::uint64_t, IncidentRecord> incidents;  // by sequence: in opening order

  Topology topology;             // from the configuration and `calls`
  GroupIndex index;              // of the signals listed in `incidents`
  OnsetIndex onsets;             // of the same
  bool context_changed = false;  // deploys or topology changed in this tick

  SuspectSearch Search(const Config& config) const;

  // Rebuilds the index entries of the record's signals.
  void Index(const IncidentRecord& record, const Config& config);
  // Adds the index entries of one signal that the incident lists.
  void IndexMember(std::uint64_t sequence, const Signal& signal, const Config& config);
  void Unindex(const IncidentRecord& record);

  // Without `labels`, which are in the key, and without the derived members.
  void Encode(ByteWriter* out) const;
  void Decode(ByteReader* in);
};

}  // namespace tocsin

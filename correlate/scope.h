// Everything the correlator remembers about one scope. Incidents never cross it.
//
// A value; `topology`, `index`, `onsets` and `context_changed` follow from the rest and from the
// configuration and are not encoded. Not thread-safe.
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
  std::map<int, std::int64_t> numbers;  // by UTC year: the last number given
  std::int64_t users = 0;               // distinct in the last 60 min, 0 when unknown
  DeployLog deploys;
  CallLog calls;
  std::map<std::uint64_t, IncidentRecord> incidents;  // by sequence: in opening order

  Topology topology;             // as configured, and of `calls`
  GroupIndex index;              // of what `incidents` list
  OnsetIndex onsets;             // of the same
  bool context_changed = false;  // in this tick: deploys or topology

  SuspectSearch Search(const Config& config) const;

  // Sums up anew what the indices know of the record's signals.
  void Index(const IncidentRecord& record, const Config& config);
  // Adds one that the incident lists.
  void IndexMember(std::uint64_t sequence, const Signal& signal, const Config& config);
  void Unindex(const IncidentRecord& record);

  // Without `labels`, which are in the key, and without what is derived.
  void Encode(ByteWriter* out) const;
  void Decode(ByteReader* in);
};

}  // namespace tocsin

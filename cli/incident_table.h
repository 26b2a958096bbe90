// The incidents of a replay as people read them, one a line, and as one JSON object for programs.
//
//   IncidentTable table;
//   table.Put(incident);                                   // as often as it changes
//   std::fputs(table.Text(TerminalOf(STDOUT_FILENO)).c_str(), stdout);
//
//   NUMBER       LEVEL ONSET (UTC)         DETECTED PAGED RESOLVED PAGES TITLE
//   INC-2026-001 SEV2  2026-03-10 21:03:50 +60 s    +70 s +23 min  2     Requests fail across …
//
// DETECTED, PAGED and RESOLVED say how long after the onset. In the order in which they opened; as
// many as limits::kOpenIncidentsMax, those after are only counted. Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "cli/text_table.h"
#include "core/incident.h"

namespace tocsin {

class IncidentTable {
 public:
  // The newest state of an incident.
  void Put(const Incident& incident);

  // The lines, and how many incidents and pages there were.
  std::string Text(const TerminalStyle& terminal) const;
  // A list of objects with what a line says.
  std::string Json() const;

 private:
  struct Row {
    Hash128 id;
    std::string number, scope, severity, state, title;
    int level = 3;
    TimeUs onset = kNoTime, detected_at = kNoTime, paged_at = kNoTime, resolved_at = kNoTime;
    std::int64_t pages = 0;
    bool merged = false;
  };
  bool SeveralScopes() const;

  std::vector<Row> rows_;
  absl::flat_hash_map<Hash128, std::size_t> index_;
  std::int64_t more_ = 0;  // past the limit
};

}  // namespace tocsin

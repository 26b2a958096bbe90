// One row of the runbooks as a test: what goes wrong, and exactly what the engine must say of it.
//
//   ErrorList errors;
//   std::optional<Row> row = ReadRow("tests/golden/rows/rupaya/rupaya-pool.yaml", &errors);
//   RunResult result = RunCase(row->profile, row->incident, /*seed=*/1);
//   for (const std::string& problem : result.problems) …
//
// A run writes the traffic to a file and replays it through the real engine with the shipped
// profile. Values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "config/node.h"
#include "core/incident.h"
#include "core/time.h"
#include "tests/golden/world.h"

namespace tocsin {

// An incident that must be there; what is empty is not looked at.
struct Expected {
  std::string severity, component, category, classification;
  std::string suspect;             // kind and name of the first one: "deploy api v1.2.0"
  std::vector<std::string> names;  // must all occur in the incident's line
  std::vector<std::string> not_names;
  std::string advice;  // occurs in the first advice, whatever the case
  std::string escalate_to;
  DurationUs detected_within = 0;  // of `since`
  DurationUs since = 0;            // the first fault's start unless said
  DurationUs resolved_within = 0;  // of the end of the last fault; 0: need not be
  std::optional<std::int64_t> users_min, users_max;
};

struct Case {
  std::vector<Fault> faults;
  std::vector<Expected> expected;
  DurationUs length = 0;
};

struct Row {
  std::string id, profile, why;
  Case incident, near_miss;
};

std::optional<Row> ReadRow(const std::string& path, ErrorList* errors);

struct RunResult {
  std::vector<std::string> problems;  // in words; empty: as expected
  std::vector<Incident> incidents;    // last revisions, in opening order
  std::int64_t events = 0;
};

// `profile` names the runbook and the world.
RunResult RunCase(const std::string& profile, const Case& run, std::uint64_t seed);

// An ordinary time without faults but with the deploys of a good day.
Case QuietCase(const World& world);
std::string WorldFile(const std::string& profile);

// Files of a folder with the extension .yaml, sorted.
std::vector<std::string> YamlFiles(const std::string& folder);
inline constexpr const char* kRowsFolder = "tests/golden/rows";
inline constexpr const char* kWorldsFolder = "tests/golden/worlds";

}  // namespace tocsin

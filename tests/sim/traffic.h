// Logs drawn from a seed: what partitions of a wild topic hold.
//
//   std::vector<SimLog> logs = DrawLogs(seed);
//
// Two to five partitions of inputs with different delays, some with the broker's append time, some
// with the producers' (then also with wrong times, alone or in threes). Events come out of order,
// late, and from the future; there are gaps of minutes, holes between offsets, records without
// events, deploys with their facts, late ones included. In between a database fills up and services
// fail, so that there is something to decide. A pure function of the seed.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/time.h"
#include "engine/source_partition.h"

namespace tocsin::testing {

struct SimRecord {
  std::int64_t offset = 0;
  TimeUs timestamp = kNoTime;
  std::string text;
};

struct SimLog {
  std::string input;
  std::string source;
  bool append_time = false;
  std::vector<SimRecord> records;

  SourceRecord At(std::size_t index) const;
};

// The configuration that reads them.
extern const char* const kSimYaml;

std::vector<SimLog> DrawLogs(std::uint64_t seed);

}  // namespace tocsin::testing

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
#include <memory>
#include <string>
#include <vector>

#include "core/time.h"
#include "engine/source_partition.h"
#include "panes/plan.h"

namespace tocsin::testing {

struct SimRecord {
  std::int64_t offset = 0;
  TimeUs timestamp = kNoTime;
  std::string text;
  TimeUs written = kNoTime;  // when it was added to the log
};

struct SimLog {
  std::string input;
  std::string source;
  bool append_time = false;
  std::vector<SimRecord> records;
  std::size_t behind_middle = 0;  // the first record behind the quiet ones

  SourceRecord At(std::size_t index) const;
};

// The configuration that reads them.
extern const char* const kSimYaml;

// How long the logs are and how wild.
struct LogShape {
  std::uint64_t records_min = 50, records_spread = 101;
  std::uint64_t step_ms = 5'000;  // the longest time between two records, but for gaps
  std::uint64_t late_ms = 3'000;  // how far a producer's time is behind when the record is added
  std::uint64_t gap_ms = 100'000;
  bool wrong_times = true;  // of producers
  // In the middle come records without events: a few, or so many that all before them is closed.
  bool quiet_middle = false;
};
inline constexpr LogShape kShortLogs = {.records_min = 15, .records_spread = 21, .step_ms = 14'000};

std::vector<SimLog> DrawLogs(std::uint64_t seed, const LogShape& shape = {});

// Stage 1 of one of them.
std::unique_ptr<SourcePartition> NewPartition(const Plan& plan, const SimLog& log);
// Nothing before this time can follow a partition that has read so many records; kNoTime: the log
// does not say. Append time does not go back, and who still reads again what it had read has not
// reached the end.
TimeUs ImpliedTime(const SimLog& log, std::size_t next, const SourcePartition& partition);

// What says which sources there are, to be appended before anything else.
std::string ExpectRecord(const std::vector<SimLog>& logs);
// The journal of one undisturbed run over all of them, one after the other.
std::vector<std::string> JournalOf(const Plan& plan, const std::vector<SimLog>& logs,
                                   SourceCounters* counters = nullptr);

void EncodeTo(const std::vector<PaneBatch>& batches, const Plan& plan,
              std::vector<std::string>* records);

}  // namespace tocsin::testing

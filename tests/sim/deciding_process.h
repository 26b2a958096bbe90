// Stage 2 as a process that can crash: it reads a journal, decides, takes snapshots, and goes on
// from the newest one. What it tells and writes is collected across its lives.
//
//   DecidingProcess process(&setup);
//   process.Start(journal);                  // also after a crash: what was in no snapshot is gone
//   process.Read(6);                            // the next six records
//   process.TakeSnapshot().IgnoreError();
//   SimOutput output = process.Finish();
//
// Not thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "engine/decider.h"
#include "journal/journal.h"
#include "tests/sim/outcome.h"

namespace tocsin::testing {

class DecidingProcess {
 public:
  explicit DecidingProcess(const EngineSetup* setup) : setup_(setup) {}

  // False: there is no snapshot, it begins with the first record. `journal` outlives this life.
  bool Start(Journal* journal);
  // Records of the journal, at most so many; none where the journal cannot be read at the moment.
  void Read(std::uint64_t records_max);
  // The next record, which the journal may not have yet.
  void Decide(std::uint64_t sequence, std::string_view record);
  // REQUIRES: the journal has what was decided on.
  absl::Status TakeSnapshot();

  std::uint64_t through() const { return through_; }
  const Decider& decider() const { return *decider_; }
  // REQUIRES: all is decided and in a snapshot. Everything but the facts.
  SimOutput Finish();

 private:
  const EngineSetup* setup_;
  Journal* journal_ = nullptr;
  std::unique_ptr<Decider> decider_;
  std::uint64_t through_ = 0;
  std::vector<OutputLine> lines_;  // since the last snapshot
  std::string state_;              // of the decider, once it was asked for; empty: not yet
  SimOutput output_;
};

}  // namespace tocsin::testing

// The engine on a disk that fails: one process that reads, writes behind, decides, and is killed.
//
//   DiskSimulation simulation(&setup, seed, DiskBreakage::kNone);
//   simulation.Run();
//   EXPECT_EQ(Difference(simulation.expected(), simulation.actual()), "");
//
// Half of the seeds have the SQLite journal of `tocsin run`, half that in memory. As in
// service/batch_log and service/input_runner, readers append and read on; a writer makes it
// durable, in pieces, and tries again where the disk is full, writes fail or a sync does; a source
// is told of a commit when what it stands for is durable. Stage 2 goes on without the disk. Readers
// are made anew and the process is killed at any moment; then everything that was not durable has
// not happened. What was acknowledged must be in the journal that is opened again, and what comes
// out is what an undisturbed run gives.
//
// A pure function of the seed.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "engine/source_partition.h"
#include "tests/sim/deciding_process.h"
#include "tests/sim/outcome.h"
#include "tests/sim/sim_journal.h"
#include "tests/sim/traffic.h"

namespace tocsin::testing {

enum class DiskBreakage {
  kNone,
  kCommitAtOnce,      // before the disk has it
  kTrustFailedWrite,  // a write that failed counts as durable
};

struct DiskStats {
  std::int64_t on_disk = 0;  // simulations
  std::int64_t failed_writes = 0;
  std::int64_t failed_snapshots = 0;
  std::int64_t decided_undurable = 0;  // records
  std::int64_t kills = 0;
  std::int64_t restored_snapshots = 0;
  std::int64_t unacknowledged = 0;  // records that a killed process had written without knowing

  DiskStats& operator+=(const DiskStats& other);
};

class DiskSimulation {
 public:
  // `setup` is of kSimYaml and outlives the simulation.
  DiskSimulation(const EngineSetup* setup, std::uint64_t seed, DiskBreakage breakage);
  ~DiskSimulation();

  void Run();

  const SimOutput& expected() const { return expected_; }
  const SimOutput& actual() const { return actual_; }
  const DiskStats& stats() const { return stats_; }

 private:
  struct Reader;

  bool OneIn(std::uint64_t n) { return random_() % n == 0; }
  void Step();
  void Start(Reader* reader) const;
  void StepReader(Reader* reader);
  void Send(Reader* reader);
  // Some of what waits for the disk.
  void Write();
  // What so many records stand for may be committed.
  void TellSources(std::size_t durable);
  void Decide();
  void TakeSnapshot();
  void Trouble();
  void Kill();
  // Whether what was acknowledged is there, and what else is.
  void CheckJournal();
  // The journal has done what it must not.
  void Fail(const std::string& what);

  const EngineSetup* setup_;
  const DiskBreakage breakage_;
  const std::vector<SimLog> logs_;
  std::mt19937_64 random_;
  SimJournal journal_;
  DecidingProcess process_;
  std::vector<std::unique_ptr<Reader>> readers_;
  std::vector<std::string> durable_;  // all of the journal, which prunes itself
  std::deque<std::string> waiting_;   // for the disk
  int backs_off_ = 0;                 // turns of the writer, after a failure
  SimOutput expected_, actual_;
  DiskStats stats_;
};

}  // namespace tocsin::testing

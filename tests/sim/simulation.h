// The real stages over drawn logs, with a scheduler that is out for trouble.
//
//   Simulation simulation(&setup, seed, Breakage::kNone);
//   simulation.Run();
//   EXPECT_EQ(Difference(simulation.expected(), simulation.actual()), "");
//
// Stage 1 instances crash between any two of feed, append and commit; the old one may go on as a
// zombie that sends but no longer commits (its commits are fenced). Batches are appended twice;
// idle partitions are closed as far as the log implies. Stage 2 reads the journal, takes snapshots,
// crashes, and goes on from the newest one. What comes out must be what one undisturbed run of each
// stage over the same logs gives: lines byte for byte, every notification once and the same, and
// the facts of each tick. In some runs sources are excluded and rejoin at moments that depend on
// the scheduler; then one undisturbed reading of the same journal is the measure.
//
// A pure function of the seed. A Breakage rewrites what is committed, to show that it would be
// noticed.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "engine/source_partition.h"
#include "journal/journal.h"
#include "tests/engine/setup.h"
#include "tests/sim/deciding_process.h"
#include "tests/sim/outcome.h"
#include "tests/sim/traffic.h"

namespace tocsin::testing {

enum class Breakage {
  kNone,
  kCommitNextOffset,   // read on where reading stopped, open panes or not
  kForgetCloseOffset,  // every late fact counts as not yet sent
  kAssumeFactsSent,    // and as sent
};

struct SimStats {
  std::int64_t crashes = 0;
  std::int64_t zombies = 0;
  std::int64_t idle_closes = 0;
  std::int64_t duplicates = 0;  // chunks that stage 2 dropped
  std::int64_t decider_crashes = 0;
  std::int64_t restored_snapshots = 0;
  std::int64_t exclusions = 0;
  std::int64_t late = 0;
  std::int64_t quarantined = 0;

  SimStats& operator+=(const SimStats& other);
};

class Simulation {
 public:
  // `setup` is of kSimYaml and outlives the simulation.
  Simulation(const EngineSetup* setup, std::uint64_t seed, Breakage breakage);
  ~Simulation();

  void Run();

  const SimOutput& expected() const { return expected_; }
  const SimOutput& actual() const { return actual_; }
  const SimStats& stats() const { return stats_; }

 private:
  struct Instance;  // of stage 1
  struct Partition;

  bool OneIn(std::uint64_t n) { return random_() % n == 0; }
  void Undisturbed();

  void Append(std::vector<std::string> records);
  bool StepPartition(Partition* partition);
  // False when there is nothing left to do for it.
  bool StepInstance(Instance* instance);
  void Send(Instance* instance);
  void Crash(Partition* partition);
  void CloseIdle(Instance* instance);
  std::unique_ptr<Instance> Start(const Partition& partition) const;
  SourceCommit Broken(SourceCommit commit) const;
  void Exclude();

  bool StepDecider();
  void StartProcess();

  const EngineSetup* setup_;
  Breakage breakage_;
  std::vector<SimLog> logs_;
  std::mt19937_64 random_;
  bool excludes_ = false;

  std::vector<std::unique_ptr<Partition>> partitions_;
  std::unique_ptr<Journal> journal_;
  std::vector<std::string> appended_;  // all of the journal, which prunes itself
  DecidingProcess process_;

  SimOutput expected_, actual_;
  SimStats stats_;
};

}  // namespace tocsin::testing

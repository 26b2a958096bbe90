// Logs that are rotated while they are read, from the file to the decision.
//
//   RotationSimulation simulation(&setup, seed, RotationBreakage::kNone);
//   simulation.Run();
//   EXPECT_EQ(Difference(simulation.expected(), simulation.actual()), "");
//
// What the logs of tests/sim/traffic hold is written to files line by line, which are rotated in
// all ways of tests/ingest/sources/log_rotator. The real ingest/sources/followed_file reads them
// into stage 1; where to go on is written with the batches that it belongs to. The process is
// killed at any moment, reads on where the journal says, and files are rotated while nobody reads
// them. What comes out is what an undisturbed run over the lines gives.
//
// A pure function of the seed. Files lie in a folder of their own, in memory where the machine has
// it.
#pragma once

#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "tests/sim/deciding_process.h"
#include "tests/sim/outcome.h"
#include "tests/sim/sim_journal.h"
#include "tests/sim/traffic.h"

namespace tocsin::testing {

enum class RotationBreakage {
  kNone,
  kKnowBytes,       // goes on at so many bytes of whatever file is at the path
  kCommitPosition,  // before the batches that it stands for
};

struct RotationStats {
  std::int64_t rotations = 0;
  std::int64_t restarts = 0;

  RotationStats& operator+=(const RotationStats& other);
};

class RotationSimulation {
 public:
  // `setup` is of kSimYaml and outlives the simulation.
  RotationSimulation(const EngineSetup* setup, std::uint64_t seed, RotationBreakage breakage);
  ~RotationSimulation();

  void Run();

  const SimOutput& expected() const { return expected_; }
  const SimOutput& actual() const { return actual_; }
  const RotationStats& stats() const { return stats_; }

 private:
  struct File;

  bool OneIn(std::uint64_t n) { return random_() % n == 0; }
  void Step(File* file);
  void Start(File* file);
  void Read(File* file, std::uint64_t lines);
  void Send(File* file);
  void Rotate(File* file);
  void Restart();
  void Append(const std::vector<std::string>& records,
              const std::vector<SourcePosition>& positions);
  std::vector<std::string> UndisturbedJournal();

  const EngineSetup* setup_;
  const RotationBreakage breakage_;
  const std::vector<SimLog> logs_;
  std::mt19937_64 random_;
  SimFolder folder_;
  TimeUs now_ = kHourUs;  // monotonic, and that of the files
  SimJournal journal_;
  DecidingProcess process_;
  std::vector<std::unique_ptr<File>> files_;
  std::vector<std::string> appended_;
  SimOutput expected_, actual_;
  RotationStats stats_;
};

}  // namespace tocsin::testing

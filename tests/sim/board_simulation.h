// The reading side in time: clocks that step, pauses of the process, and inputs that are away.
//
//   BoardSimulation simulation(&setup, seed, BoardBreakage::kNone);
//   simulation.Run();
//   EXPECT_EQ(Difference(simulation.expected(), simulation.actual()), "");
//
// Virtual time passes in turns of 200 ms. In each, every partition that can be reached is read,
// closed as far as it is idle by the rules of service/kafka_input, and reported to the real
// service/source_board; what time it is says the real system/time_source, of a host clock that is
// set an hour ahead or back for 1.5 s or is adjusted by less than a second. The process is stopped
// for 60 s or 10 min between any two steps of a turn; all inputs are away for as long at once, and
// come back one after the other; single ones are away for a minute. None of that may make the board
// exclude a source, and what comes out is what an undisturbed run gives that closes nothing that is
// idle.
//
// A pure function of the seed.
#pragma once

#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "service/source_board.h"
#include "system/time_source.h"
#include "tests/sim/deciding_process.h"
#include "tests/sim/outcome.h"
#include "tests/sim/sim_journal.h"
#include "tests/sim/traffic.h"

namespace tocsin::testing {

enum class BoardBreakage {
  kNone,
  kHostClock,  // closes by what the host's clock says at the moment
  kCloseAway,  // closes what it cannot read as if it were idle
  kBlameAway,  // reports sources as readable that are away
};

struct BoardStats {
  std::int64_t clock_steps = 0;
  std::int64_t pauses = 0;
  std::int64_t outages = 0;   // of all
  std::int64_t absences = 0;  // of one
  std::int64_t idle_closes = 0;
  std::int64_t exclusions = 0;

  BoardStats& operator+=(const BoardStats& other);
};

class BoardSimulation {
 public:
  // `setup` is of kSimYaml and outlives the simulation.
  BoardSimulation(const EngineSetup* setup, std::uint64_t seed, BoardBreakage breakage);
  ~BoardSimulation();

  void Run();

  const SimOutput& expected() const { return expected_; }
  const SimOutput& actual() const { return actual_; }
  const BoardStats& stats() const { return stats_; }

 private:
  struct Partition;

  bool OneIn(std::uint64_t n) { return random_() % n == 0; }
  TimeSource::Reading HostClocks() const;
  DurationUs DrawLength();
  void Turn();
  void Trouble();
  // Between any two steps the process may be stopped.
  void Pause();
  void Read(Partition* partition);
  void CloseIdle(Partition* partition, const TimeSource::Reading& asked_at);
  void Report(Partition* partition);
  void Judge();
  void Decide();
  void Append(const std::vector<std::string>& records);
  void Finish();

  const EngineSetup* setup_;
  const BoardBreakage breakage_;
  std::vector<SimLog> logs_;
  std::mt19937_64 random_;
  TimeUs now_;                // what time it really is
  DurationUs clock_off_ = 0;  // of the host's clock
  DurationUs clock_step_ = 0;
  TimeUs step_ends_ = kNoTime;
  DurationUs pause_ = 0;  // that is due
  TimeUs trouble_ends_ = kNoTime;
  TimeSource time_;
  SourceBoard board_;
  SimJournal journal_;
  DecidingProcess process_;
  std::vector<std::unique_ptr<Partition>> partitions_;
  std::vector<std::string> appended_;
  SimOutput expected_, actual_;
  BoardStats stats_;
};

}  // namespace tocsin::testing

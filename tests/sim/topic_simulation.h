// Topics that are deleted and made anew while they are read.
//
//   TopicSimulation simulation(&setup, seed, TopicBreakage::kNone);
//   simulation.Run();
//   EXPECT_EQ(Difference(simulation.expected(), simulation.actual()), "");
//
// Of most topics a second life begins at offset 0: while the instance runs and has read the first
// one to its end, or while it is down and its commit needs nothing of the first one any more. It
// notices as service/kafka_input does: by the record before its position, or by an offset that the
// log does not have. Instances crash wherever what they would read again is still there. What comes
// out is what an undisturbed run gives that reads both lives as one log.
//
// A pure function of the seed.
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

enum class TopicBreakage {
  kNone,
  kKeepState,    // reads the new log from its beginning, but stage 1 is not told
  kTrustOffset,  // the record before the position is not looked at
};

struct TopicStats {
  std::int64_t recreated_running = 0;
  std::int64_t recreated_down = 0;
  std::int64_t noticed_by_record = 0;
  std::int64_t noticed_by_offset = 0;
  std::int64_t crashes = 0;
  std::int64_t decider_crashes = 0;

  TopicStats& operator+=(const TopicStats& other);
};

class TopicSimulation {
 public:
  // `setup` is of kSimYaml and outlives the simulation.
  TopicSimulation(const EngineSetup* setup, std::uint64_t seed, TopicBreakage breakage);
  ~TopicSimulation();

  void Run();

  const SimOutput& expected() const { return expected_; }
  const SimOutput& actual() const { return actual_; }
  const TopicStats& stats() const { return stats_; }

 private:
  struct Topic;

  bool OneIn(std::uint64_t n) { return random_() % n == 0; }
  void Step();
  void StepTopic(Topic* topic);
  void Append(const std::vector<std::string>& records);
  void Send(Topic* topic);
  void Recreate(Topic* topic);
  void Start(Topic* topic);
  void Crash(Topic* topic);
  // What KafkaInput does at an assignment, and with what it takes.
  void CheckLog(Topic* topic);
  void CheckOffset(Topic* topic);
  void Poll(Topic* topic);
  void StartOver(Topic* topic);

  const EngineSetup* setup_;
  const TopicBreakage breakage_;
  const std::vector<SimLog> logs_;  // both lives as one
  std::mt19937_64 random_;
  SimJournal journal_;
  DecidingProcess process_;
  std::vector<std::unique_ptr<Topic>> topics_;
  std::vector<std::string> appended_;
  SimOutput expected_, actual_;
  TopicStats stats_;
};

}  // namespace tocsin::testing

// Records that are broken, hostile or lie about times, among good ones.
//
//   PoisonSimulation simulation(&setup, seed, PoisonBreakage::kNone);
//   simulation.Run();
//   EXPECT_EQ(Difference(simulation.expected(), simulation.actual()), "");
//
// Each partition has a format and the real decoder of it: JSON, logfmt or OTLP in JSON; what the
// logs of tests/sim/traffic hold is written that way. Between its records stand poisoned ones:
// empty, huge, cut off, nested deep, with flipped bits, not UTF-8, of another format
// (tests/ingest/payload_seeds), of times hours away; producers' records also lie about their own.
// Instances crash and read them again. What comes out of all partitions, the poisoned ones too, is
// what an undisturbed run over the good records alone gives.
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

enum class PoisonBreakage {
  kNone,
  kDropNext,    // a poisoned record takes the one behind it along
  kTrustTimes,  // what a producer says about the time is believed
};

struct PoisonStats {
  std::int64_t poisoned = 0;
  std::int64_t lying = 0;  // about the record's own time
  std::int64_t undecodable = 0;
  std::int64_t quarantined = 0;
  std::int64_t crashes = 0;

  PoisonStats& operator+=(const PoisonStats& other);
};

class PoisonSimulation {
 public:
  // `setup` is of kSimYaml and outlives the simulation.
  PoisonSimulation(const EngineSetup* setup, std::uint64_t seed, PoisonBreakage breakage);
  ~PoisonSimulation();

  void Run();

  const SimOutput& expected() const { return expected_; }
  const SimOutput& actual() const { return actual_; }
  const PoisonStats& stats() const { return stats_; }

 private:
  struct Partition;

  bool OneIn(std::uint64_t n) { return random_() % n == 0; }
  void AddPoison(Partition* partition);
  void Start(Partition* partition) const;
  void Step(Partition* partition);
  void Feed(Partition* partition);
  void Append(const std::vector<std::string>& records);
  void Send(Partition* partition);

  const EngineSetup* setup_;
  const PoisonBreakage breakage_;
  std::mt19937_64 random_;
  SimJournal journal_;
  DecidingProcess process_;
  std::vector<std::unique_ptr<Partition>> partitions_;
  std::vector<std::string> appended_;
  SimOutput expected_, actual_;
  PoisonStats stats_;
};

}  // namespace tocsin::testing

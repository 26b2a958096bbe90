// What a run of the engine gave, and how two runs differ.
//
//   const SimOutput expected = ReadUndisturbed(setup, JournalOf(setup.plan, logs));
//   EXPECT_EQ(Difference(expected, actual), "");
//
// Pure functions.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "core/time.h"
#include "journal/journal.h"
#include "tests/engine/setup.h"

namespace tocsin::testing {

struct SimOutput {
  std::vector<std::string> lines;
  std::map<std::string, std::string> notifications;  // by delivery id
  std::vector<std::string> facts;                    // of each tick
  // Where something was told twice, but not the same; empty: nowhere.
  std::string contradiction;

  void Add(const OutputLine& line);
  void Add(const std::vector<Notification>& told);
};

// The first difference in words; empty when there is none.
std::string Difference(const SimOutput& expected, const SimOutput& actual);

// What one stage 2 makes of a whole journal, with the facts of each tick.
SimOutput ReadUndisturbed(const EngineSetup& setup, const std::vector<std::string>& records);
std::vector<std::string> FactsOf(const EngineSetup& setup, const std::vector<std::string>& records);

}  // namespace tocsin::testing

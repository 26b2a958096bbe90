// The commands of the tocsin program, one function each, apart from how the command line is
// written.
//
// Each prints results on stdout, progress and errors on stderr, and returns the exit code of the
// design: 0 done, 1 a finding (failed check, invalid configuration), 2 wrong usage, 3 environment
// failure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "replay/replayer.h"

namespace tocsin {

enum ExitCode : int { kDone = 0, kFinding = 1, kUsage = 2, kEnvironment = 3 };

struct RunCommand {
  std::string config;
  std::string incidents;
  std::string signals;
  int threads = 0;
};
int Run(const RunCommand& command);

struct ReplayCommand {
  std::string config;
  std::vector<std::string> inputs;
  std::string incidents;
  std::string signals;
  std::string stats;
  std::string format;
  int threads = 0;
};
int ReplayRecorded(const ReplayCommand& command);

struct DecodeCommand {
  std::string format;  // empty: as configured, else auto
  std::string config;  // empty: none
  std::string file;    // or a directory, or "-"
  bool explain = false;
};
// Canonical events on stdout; on stderr how many, and what was not used; with `explain` each.
int DecodeFiles(const DecodeCommand& command);

int Check(const std::vector<std::string>& configs);

// Prints every error on stderr; nullopt then.
std::optional<Config> LoadOrExplain(const std::string& path);

}  // namespace tocsin

// The status of each input and of each of its source partitions. Plain values.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/time.h"
#include "engine/source_partition.h"

namespace tocsin {

// The current status of one source partition.
struct SourceStatus {
  std::string input;
  std::string source;
  SourceCounters counters = {};
  TimeUs clock = kNoTime;
  TimeUs last_tick = kNoTime;
  bool paused = false;
  bool at_end = false;  // all existing records have been read
  bool excluded = false;
  std::string problem = {};  // why it cannot be read; empty: it can be read
};

struct InputStatus {
  enum class State : std::uint8_t {
    kStarting,
    kRunning,
    kFailed,  // will be created anew after a pause
    kEnded,
  };
  std::string name;
  State state = State::kStarting;
  std::string reason = {};  // of the last failure; while it runs, of a failing part
  bool refused = false;     // its configuration is invalid: a retry does not help
  std::int64_t failures = 0;
  TimeUs down_since = kNoTime;  // monotonic; kNoTime: it is up
  bool assigned = false;
  std::int64_t errors = 0;
  std::int64_t skipped = 0;
  std::vector<SourceStatus> sources = {};
  std::vector<std::string> known = {};  // all parts, including those that are not sources now

  bool IsUp() const {
    return state == State::kEnded || (state == State::kRunning && down_since == kNoTime);
  }
};

inline std::string_view InputStateName(InputStatus::State state) {
  switch (state) {
    case InputStatus::State::kStarting:
      return "starting";
    case InputStatus::State::kRunning:
      return "running";
    case InputStatus::State::kFailed:
      return "failed";
    case InputStatus::State::kEnded:
      return "ended";
  }
  return "";
}

}  // namespace tocsin

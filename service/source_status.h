// What the reading side says of itself: each input, and each of its source partitions. Values.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/time.h"
#include "engine/source_partition.h"

namespace tocsin {

// One source partition as it stands.
struct SourceStatus {
  std::string input;
  std::string source;
  SourceCounters counters = {};
  TimeUs clock = kNoTime;
  TimeUs last_tick = kNoTime;
  bool paused = false;
  bool at_end = false;  // everything that was there has been read
  bool excluded = false;
  std::string problem = {};  // why it cannot be read; empty: it can
};

struct InputStatus {
  enum class State : std::uint8_t {
    kStarting,
    kRunning,
    kFailed,  // is made anew after a while
    kEnded,
  };
  std::string name;
  State state = State::kStarting;
  std::string reason = {};  // of the last failure; while it runs, what is wrong with a part of it
  bool refused = false;     // its configuration is wrong: trying again does not help
  std::int64_t failures = 0;
  TimeUs down_since = kNoTime;  // monotonic; kNoTime: it can be read
  bool assigned = false;
  std::int64_t errors = 0;
  std::int64_t skipped = 0;
  std::vector<SourceStatus> sources = {};
  std::vector<std::string> known = {};  // parts, also those that are no sources at present

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

// A detector's verdict on one series, with its evidence.
//
// A signal begins when its detector fires on a series, keeps its id through rises of level, and
// ends when it clears. Derived id: hash(detector, series key, tick of firing). Value type.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/hash.h"
#include "core/hyperloglog.h"
#include "core/json_writer.h"
#include "core/labels.h"
#include "core/time.h"
#include "core/wire.h"

namespace tocsin {

// What kind of harm a detector sees.
enum class Category : std::uint8_t { kAvailability, kPerformance, kSecurity, kData, kCapacity };
std::string_view CategoryName(Category category);

// One line of the explanation: {kind: "baseline", name: "rate", value: "0.002"}. `value` is JSON
// text, so that numbers stay numbers and lists stay lists.
struct Evidence {
  std::string kind;  // "window", "baseline", "samples", "top", "panes", "threshold", …
  std::string name;
  std::string json;
  bool operator==(const Evidence&) const = default;
};

// When something began, as well as it is known: at some time in [earliest, latest].
struct OnsetInterval {
  TimeUs earliest = kNoTime;
  TimeUs latest = kNoTime;
  bool known() const { return earliest != kNoTime && latest != kNoTime; }
  bool operator==(const OnsetInterval&) const = default;
};

struct Signal {
  Hash128 id;
  std::string detector;  // the stanza's name
  std::string kind;      // "error_rate"
  std::string scope;     // key of the scope's labels (core/labels.h)
  Labels series;         // scope labels first
  Category category = Category::kAvailability;
  std::string classification;   // of a storm: attack, surge, client …; else empty
  int level = 3;                // severity level, 1 highest … 4
  bool degraded_only = false;   // true when it can never mean *down* (slowness)
  bool down = false;            // its service does not work: most requests fail, no healthy target
  bool drifts = false;          // it crept up on its threshold: when it got there says little
  TimeUs onset = kNoTime;       // event time of the first pane that breached
  TimeUs fired_at = kNoTime;    // tick
  TimeUs cleared_at = kNoTime;  // tick, kNoTime while firing
  double value = 0;
  double threshold = 0;
  std::vector<Evidence> evidence;
  OnsetInterval began;           // event time; unknown where nobody can say. Not in the line
  TimeUs breached_at = kNoTime;  // last tick in which its condition held. Not in the line

  bool firing() const { return cleared_at == kNoTime; }
  // The object of §6 of the design; with `state` for a line of --signals.
  void WriteJson(bool with_state, JsonWriter* json) const;
  void Encode(ByteWriter* out) const;
  static Signal Decode(ByteReader* in);
  bool operator==(const Signal&) const = default;
};

Hash128 SignalId(std::string_view detector, std::string_view series_key, TimeUs tick);

// What changed about a signal in one tick. kContinued: nothing but the time that it has been firing
// for (an hour, six, a day, each day after that), its value and its evidence.
enum class SignalChangeKind : std::uint8_t { kFired, kRaised, kCleared, kContinued };
struct SignalChange {
  SignalChangeKind kind = SignalChangeKind::kFired;
  Signal signal;
};

// Who was hurt on the series of a firing signal in one pane (or, in the tick in which it fires,
// since its onset). `failed` counts failed events of any type; `failed_transactions` those of
// transactions.
struct SignalImpact {
  Hash128 signal;
  std::int64_t total = 0;
  std::int64_t failed = 0;
  std::int64_t failed_transactions = 0;
  double failed_amount = 0;
  HyperLogLog failed_users;
  // A key or sketch cap was hit: users cannot be counted honestly.
  bool capped = false;
  // The signal's condition holds in this tick; a signal may fire for long after that, until it is
  // below the level at which it clears.
  bool breaching = false;
};

// Order of signals wherever order matters: detector, series, then id.
bool SignalBefore(const Signal& a, const Signal& b);

}  // namespace tocsin

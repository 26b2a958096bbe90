// The layout of a snapshot of stage 2: named sections, each with its length.
//
//   SnapshotWriter out;
//   ByteWriter incidents;  …;  out.Add(SnapshotSection::kIncidents, incidents.view());
//   std::string state = out.Take();
//   TOCSIN_ASSIGN_OR_RETURN(SnapshotSections in, SnapshotSections::Parse(state));
//   ByteReader reader = in.Open(SnapshotSection::kIncidents);
//
// A snapshot is "decider", its format number, and then sections (name and content) until its end.
// Every detector has its own section, which names the kind and the version of its state, so that
// the other sections stay readable when that state is not. Firing signals are stored beside the
// state and can be read without the detector. Format 5 had the same parts in a fixed order without
// names; both formats are read. Views live as long as the input. Pure functions and values;
// thread-compatible.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "core/signal.h"
#include "core/state_format.h"
#include "core/wire.h"

namespace tocsin {

enum class SnapshotSection : std::uint8_t {
  kClock,        // the last tick, and counters
  kSources,      // TickAssembler
  kIncidents,    // Correlator
  kFolds,        // PageGrouper
  kUsers,        // ScopeUserCounts
  kSeriesLimit,  // SeriesLimitAlarm
  kFacts,        // recently seen facts, for deduplication
  kOrphans,      // signals to clear in the next tick
  kScopes,       // ScopeLimit
};
inline constexpr std::size_t kSnapshotSections = 9;
std::string_view SnapshotSectionName(SnapshotSection section);

void EncodeSignals(const std::vector<Signal>& signals, ByteWriter* out);
std::vector<Signal> DecodeSignals(ByteReader* in);

// The section of one detector.
struct DetectorSection {
  std::string name;  // of the stanza
  std::string kind;
  int state_version = 1;    // Detector::StateVersion
  std::string measured;     // hash of what defines its series: source, filter, labels, panes
  std::string fingerprint;  // hash of the stanza and of what is measured
  std::vector<Signal> firing;
  std::string_view state;  // encoded SeriesSet

  void Encode(ByteWriter* out) const;
  static DetectorSection Decode(ByteReader* in);
};

class SnapshotWriter {
 public:
  SnapshotWriter();
  void Add(SnapshotSection section, std::string_view content);
  void Add(const DetectorSection& detector);
  std::string Take() { return out_.Take(); }

 private:
  ByteWriter out_;
};

struct SnapshotSections {
  int format = kStateFormat;
  std::array<std::string_view, kSnapshotSections> content;
  std::vector<DetectorSection> detectors;

  // DataLoss if it is malformed; FailedPrecondition, with what to do, if a newer build wrote it;
  // Unimplemented if it is older than format 5.
  static absl::StatusOr<SnapshotSections> Parse(std::string_view state);
  ByteReader Open(SnapshotSection section) const {
    return ByteReader(content[static_cast<std::size_t>(section)], format);
  }
};

}  // namespace tocsin

// Recorded traffic through the real engine: the same stages, memory instead of a journal, no pages.
//
//   ReplayOptions options{.config = &config, .inputs = {"logs/"}, .incidents_path =
//   "incidents.jsonl"}; absl::StatusOr<ReplayStats> stats = Replay(options);
//
// Each file is one source partition, in order of relative path; a Kafka topic gives one a
// partition. All advance together by tick: the source that is furthest behind is read next, so that
// memory stays bounded however the inputs overlap, and the result does not depend on who is read
// when. The end of an input closes everything. Runs on the calling thread; evaluation uses
// `threads`.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "config/config.h"
#include "engine/decider.h"

namespace tocsin {

struct ReplayOptions {
  const Config* config = nullptr;   // outlives the call
  std::vector<std::string> inputs;  // files, directories, "-", kafka:// URIs
  std::string format;               // overrides that of all inputs; empty: as configured, else json
  std::string signal = {};          // of format otlp-proto, as `signal:` of an input
  // Of records of files that say none, or no year; kNoTime: they are undecodable, which is said.
  TimeUs record_time = kNoTime;
  std::string incidents_path;
  std::string signals_path;
  int threads = 0;
  // Called now and then with the share done in [0, 1] (or −1 when unknown) and the events so far.
  std::function<void(double, std::int64_t)> progress;
  // Called for every tick that changed something.
  std::function<void(const Decision&)> on_decision;
};

struct ReplayStats {
  std::int64_t events = 0;
  std::int64_t bytes = 0;
  std::int64_t late = 0;
  std::int64_t quarantined = 0;
  std::int64_t undecodable = 0;
  std::int64_t series = 0;
  std::int64_t ticks = 0;
  std::int64_t signals = 0;
  std::int64_t incidents = 0;
  double seconds = 0;
  std::int64_t peak_rss_bytes = 0;
  std::vector<std::string> notes = {};  // what people should know; not in the JSON

  std::string ToJson() const;
};

// The configured input that describes a file or topic given on the command line: the one of that
// path or topic, else the first, else the default one. What is given of `format` and `signal`
// overrides.
InputConfig InputFor(const Config& config, const std::string& argument, const std::string& topic,
                     const std::string& format, const std::string& signal = "");

// InvalidArgument for a wrong input or configuration, FailedPrecondition where nothing of a file
// can be read without `record_time`, Unavailable for what cannot be read or written.
absl::StatusOr<ReplayStats> Replay(const ReplayOptions& options);

}  // namespace tocsin

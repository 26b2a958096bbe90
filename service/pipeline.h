// The running engine: sources → stage 1 → journal → stage 2 → outbox, on its threads.
//
//   Pipeline pipeline({.config = &config, .signals_path = "signals.jsonl"});
//   TOCSIN_RETURN_IF_ERROR(pipeline.Start());
//   …
//   pipeline.Stop();                                  // drains, commits, snapshots; within 10 s
//
// Threads: one for each input, which polls, decodes and accumulates (service/input_runner.h); one
// that makes batches durable (service/batch_log.h); one that opens the state and decides; one that
// watches all of them, excludes sources that hold up the others, and pages when the engine is blind
// (service/watch.h); and the deliverer's. A failure of an input, a record, a sink or the disk is
// isolated: it is reported, and the rest continues. Stage 1 commits only durable batches to its
// source; stage 2 takes a snapshot every minute and at the end. After kill -9 everything is rebuilt
// from the two. The public calls are thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "config/config.h"
#include "core/operator_action.h"
#include "engine/decider.h"
#include "engine/source_partition.h"
#include "service/batch_log.h"
#include "service/http_in/receiver.h"
#include "service/incident_book.h"
#include "service/source_status.h"
#include "service/watch.h"
#include "sinks/outbox.h"

namespace tocsin {

struct PipelineStatus {
  std::vector<InputStatus> inputs;
  std::vector<SourceStatus> sources;  // of all inputs
  std::vector<std::string> excluded;  // sources that are excluded at present
  // Records taken from all inputs, including those not yet read by stage 1 (not in `sources`).
  std::int64_t received = 0;
  Decider::Counters decided;
  std::size_t series = 0;
  std::int64_t series_over_limit = 0;
  std::size_t open_incidents = 0;
  TimeUs last_tick = kNoTime;
  std::size_t queued_batches = 0;
  std::int64_t unreadable_batches = 0;
  std::int64_t gaps = 0;
  BatchLog::Health log;
  Blindness blind;
  std::int64_t clock_steps = 0;
  DurationUs clock_deviation = 0;
  std::int64_t heartbeats = 0;  // sent and answered with success
  Outbox::Counters deliveries;
  std::size_t deliveries_pending = 0;
  std::int64_t snapshots = 0;
  std::int64_t lines_left_out = 0;  // dropped from --incidents and --signals
  JournalUsage journal;
  std::int64_t kafka_errors = 0;
  std::int64_t skipped_records = 0;
  std::vector<Receiver::SourceCounters> posted;                  // of HTTP inputs
  std::map<std::string, ConnectionTable::Counters> connections;  // by HTTP server: inputs, api
  LifeTimes times;                                               // of incidents
  bool assigned = false;   // every input runs and has its partitions
  std::string not_ready;   // why `assigned` is false
  bool caught_up = false;  // every source has once reached the end of its input, or lags little
  DurationUs lag = 0;      // of the slowest source, behind the others or the end of its input
};

class Pipeline {
 public:
  struct Options {
    const Config* config = nullptr;  // outlives the pipeline
    std::string incidents_path;      // JSON lines; empty: none
    std::string signals_path;
    // Called on the deciding thread for every tick that changed something.
    std::function<void(const Decision&)> on_decision;
    int threads = 0;              // for evaluation; 0: as many as there are cores
    bool memory_journal = false;  // nothing outlives the process (demo)
  };

  explicit Pipeline(Options options);
  ~Pipeline();
  Pipeline(const Pipeline&) = delete;
  Pipeline& operator=(const Pipeline&) = delete;

  // Returns after the first attempt to open the state. Fails if the configuration, the state
  // directory, the output files or the addresses cannot be used; the message is for operators. A
  // temporary failure to open the state (journal.h: Passes) is retried until Stop, and so are
  // inputs that cannot be read yet; meanwhile the watch pages.
  absl::Status Start();
  // Whether the state is open and inputs are read.
  bool running() const;
  // True when every input has ended (files that are not followed) and all is decided and delivered.
  bool Finished() const;
  // The first error that stopped a thread; OK while all is well.
  absl::Status status() const;
  PipelineStatus Snapshot() const;
  const TimeSource& time() const;
  const IncidentBook& incidents() const;
  // The port of HTTP inputs; 0: there are none, or the pipeline is not running yet.
  std::uint16_t http_port() const;
  // The operators' silences, as of the last decision.
  std::vector<Silence> silences() const;
  // Appends an operator action to the batch log. Unavailable while starting up or shutting down.
  absl::Status Submit(const OperatorAction& action);
  // An incident's deliveries, without payloads.
  std::vector<Delivery> DeliveriesOf(const Hash128& incident) const;
  // Sends an incident's parked deliveries again and returns their number.
  absl::StatusOr<std::size_t> RetryParked(const Hash128& incident);
  // Reloads secrets, tokens and certificates of sinks and HTTP inputs. The error says what cannot
  // be read; that keeps its old value.
  absl::Status Reload();
  // Stops reading, decides what was read, commits, takes a snapshot, and waits a while for
  // deliveries in flight. If a thread is stuck in a system call, `hung` is true afterwards, and the
  // process has to end without destroying the pipeline.
  absl::Status Stop();
  bool hung() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tocsin

// What must outlive a process: batches, snapshots, output lines, deliveries, source positions.
//
//   TOCSIN_ASSIGN_OR_RETURN(std::unique_ptr<Journal> journal, OpenSqliteJournal(state_dir));
//   TOCSIN_ASSIGN_OR_RETURN(std::uint64_t seq, journal->AppendBatches(batches));  // durable now
//
// One interface for memory (replay, tests), SQLite (one machine) and, later, Kafka (a cluster). The
// batch log is ordered: sequence numbers rise by one from 1. A snapshot stands for all batches up
// to its sequence; lines are stored with the snapshot that covers them, so that output files can be
// rebuilt byte for byte.
//
// The last two snapshots are kept, and every batch after the older one: when the newest turns out
// damaged, the older one and the batches after it give the same state again. Thread-safe. No lock
// is held while a `visit` runs, so it may use the journal; what it adds may or may not be visited.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/delivery.h"

namespace tocsin {

enum class LineKind : std::uint8_t { kSignal, kIncident };

struct OutputLine {
  LineKind kind = LineKind::kSignal;
  TimeUs tick = 0;
  std::string text;  // without the line feed
};

struct Snapshot {
  std::uint64_t through = 0;  // the last batch sequence it stands for
  std::string state;          // stage 2, checksummed by the journal
};

// Where a source that has no commits of its own (a file) goes on.
struct SourcePosition {
  std::string source;
  std::string text;
};

class Journal {
 public:
  virtual ~Journal() = default;

  // Appends encoded PaneBatch chunks and control records in order, and writes positions, all or
  // none; durable on return. The sequence of the last batch of the log (unchanged when `batches` is
  // empty).
  virtual absl::StatusOr<std::uint64_t> AppendBatches(
      std::span<const std::string> batches, std::span<const SourcePosition> positions) = 0;
  absl::StatusOr<std::uint64_t> AppendBatches(std::span<const std::string> batches) {
    return AppendBatches(batches, {});
  }
  // Calls `visit` with every batch after `after`, in order, until it fails. DataLoss if some of
  // them were pruned.
  virtual absl::Status ReadBatches(
      std::uint64_t after,
      absl::FunctionRef<absl::Status(std::uint64_t, std::string_view)> visit) = 0;

  // Stores the snapshot together with the lines written since the last one, atomically, and prunes
  // the batches that the snapshot before it covers. InvalidArgument if it stands for fewer batches
  // than the last one or for more than there are.
  virtual absl::Status SaveSnapshot(const Snapshot& snapshot,
                                    std::span<const OutputLine> lines) = 0;
  // The newest snapshot whose checksum holds; nullopt if there is none and every batch is still
  // there. Damaged newer ones are dropped with their lines, which the batches after the result give
  // again. DataLoss when no state can be rebuilt. Call it before ReadLines.
  virtual absl::StatusOr<std::optional<Snapshot>> LoadSnapshot() = 0;
  // All lines stored with snapshots, in order.
  virtual absl::Status ReadLines(absl::FunctionRef<absl::Status(const OutputLine&)> visit) = 0;

  // Insert or replace by id; durable on return. All in one transaction.
  virtual absl::Status WriteDeliveries(std::span<const Delivery> deliveries) = 0;
  // In order of sequence.
  virtual absl::Status ReadDeliveries(absl::FunctionRef<absl::Status(const Delivery&)> visit) = 0;
  // Drops those that the outbox has finished with; unknown ids are ignored.
  virtual absl::Status ForgetDeliveries(std::span<const Hash128> ids) = 0;

  absl::Status WritePosition(const std::string& source, const std::string& text) {
    const SourcePosition position = {source, text};
    return AppendBatches({}, std::span(&position, 1)).status();
  }
  virtual absl::StatusOr<std::optional<std::string>> ReadPosition(const std::string& source) = 0;

  // A small named value that must not change between runs (the plan's hash, for a clear error).
  virtual absl::Status WriteMeta(const std::string& key, const std::string& value) = 0;
  virtual absl::StatusOr<std::optional<std::string>> ReadMeta(const std::string& key) = 0;
};

std::unique_ptr<Journal> NewMemoryJournal();

// Opens or creates <directory>/tocsin.db (WAL, synchronous=FULL: what was appended survives a power
// cut). Fails with a message that names the directory when another process holds it
// (FailedPrecondition), it cannot be written (PermissionDenied), the file is of a newer version
// (FailedPrecondition) or malformed (DataLoss). A full disk is ResourceExhausted; the journal goes
// on working once there is room again.
absl::StatusOr<std::unique_ptr<Journal>> OpenSqliteJournal(const std::string& directory);

}  // namespace tocsin

// What must outlive a process: batches, snapshots, output lines, deliveries, source positions.
//
//   TOCSIN_ASSIGN_OR_RETURN(std::unique_ptr<Journal> journal, OpenSqliteJournal(state_dir, {}));
//   TOCSIN_ASSIGN_OR_RETURN(std::uint64_t seq, journal->AppendBatches(batches));  // durable now
//
// One interface for memory (replay, tests), SQLite (one machine) and, later, Kafka (a cluster). The
// batch log is ordered: sequence numbers rise by one from 1. A snapshot stands for all batches up
// to its sequence; lines are stored with the snapshot that covers them.
//
// Errors. A call succeeds, or has no effect and may be repeated. Passes(status) tells what may go
// away by itself from what does not:
//   Unavailable         the database is locked, an I/O error, or the file system is read-only
//   ResourceExhausted   the disk or a quota is full
//   DataLoss            something is damaged or missing: `tocsin state check` says what
//   FailedPrecondition  another process holds the directory, or a newer version wrote it
//   PermissionDenied    (only of opening) we may not write the directory or a file
//   InvalidArgument     the caller is wrong
// After an I/O error the files are closed, opened again and verified before anything else is done:
// a write that failed may have reached the disk, and one that succeeded may be gone (decision 034).
//
// Limits. The last two snapshots are kept: when the newest turns out damaged, the older one and the
// batches after it give the same state again. Batches before it are kept for `batches_time` of
// their ticks, within `batches_bytes`, so that detectors can learn from them again. Lines are kept
// within `lines_bytes`, the newest of each open incident always. Usage() counts what was dropped.
//
// Thread-safe. No lock is held while a `visit` runs, so it may use the journal; what it adds may or
// may not be visited.
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
#include "core/limits.h"

namespace tocsin {

enum class LineKind : std::uint8_t { kSignal, kIncident };

struct OutputLine {
  LineKind kind = LineKind::kSignal;
  TimeUs tick = 0;
  std::string text;  // without the line feed
  // Of an incident's line: whose it is, and whether the incident goes on after it.
  Hash128 incident = {};
  bool open = false;
  // The earlier lines of the incident are needed no more.
  bool replaces = false;
  // Only where it is read: lines of about its time were dropped, it is here because its incident is
  // open.
  bool alone = false;
};

struct Snapshot {
  std::uint64_t through = 0;  // the last batch sequence it stands for
  std::string state;          // stage 2
  TimeUs tick = kNoTime;      // the last one it stands for
};

struct JournalLimits {
  DurationUs batches_time = limits::kPaneLogTime;
  std::int64_t batches_bytes = limits::kPaneLogBytesMax;
  std::int64_t lines_bytes = limits::kLinesBytesMax;
};

// What is kept, and what was dropped past a limit since the journal was opened.
struct JournalUsage {
  std::int64_t batches = 0, batch_bytes = 0;
  std::int64_t lines = 0, line_bytes = 0;
  std::int64_t lines_dropped = 0;
  bool lines_incomplete = false;  // some were dropped at any time
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

  // The sequence of the oldest batch that is kept; one past the last where there is none.
  virtual absl::StatusOr<std::uint64_t> OldestBatch() = 0;

  // Stores the snapshot together with the lines written since the last one, atomically, and prunes
  // batches and lines. InvalidArgument if it stands for fewer batches than the last one or for more
  // than there are. A prune that fails for good is what the next call fails with, once.
  virtual absl::Status SaveSnapshot(const Snapshot& snapshot,
                                    std::span<const OutputLine> lines) = 0;
  // The newest snapshot whose checksum holds; nullopt if there is none and every batch is still
  // there. Damaged newer ones are dropped with their lines, which the batches after the result give
  // again. DataLoss when no state can be rebuilt. Call it before ReadLines.
  virtual absl::StatusOr<std::optional<Snapshot>> LoadSnapshot() = 0;
  // The lines that are kept, in order; those that are `alone` come first.
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

  // What belongs to nothing that is there any more. Every source and sink that is configured is
  // named, now and then, with the monotonic time since the last call in this process; positions and
  // deliveries of those that were not named for `forget_after` altogether are dropped. What was
  // dropped, in words.
  struct Present {
    std::vector<std::string> sources, sinks;
    DurationUs elapsed = 0;
    DurationUs forget_after = limits::kAbsentMemory;
  };
  virtual absl::StatusOr<std::vector<std::string>> ForgetAbsent(const Present& present) = 0;

  virtual JournalUsage Usage() const = 0;
};

// Whether the same call may succeed later without anybody doing something about the journal.
inline bool Passes(const absl::Status& status) {
  return absl::IsUnavailable(status) || absl::IsResourceExhausted(status);
}

std::unique_ptr<Journal> NewMemoryJournal(const JournalLimits& limits = {});

struct SqliteJournalOptions {
  JournalLimits limits = {};
  std::string writer = {};  // "tocsin 1.2.0": who is named where an older version refuses to read
};

// Opens or creates <directory>/tocsin.db (WAL, synchronous=FULL: what was appended survives a power
// cut), brought up to date in one transaction where an older version wrote it. The directory is
// made with mode 0700, and given it where it holds nothing but our files; the files get 0600, so
// that nobody else can read them or take the lock.
absl::StatusOr<std::unique_ptr<Journal>> OpenSqliteJournal(
    const std::string& directory, const SqliteJournalOptions& options = {});

}  // namespace tocsin

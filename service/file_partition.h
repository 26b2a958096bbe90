// One file of an input of the running engine: a source partition, once it holds a record.
//
//   FilePartition file(options, {.path = path, .name = name});
//   file.Turn(clock, /*records_max=*/4'096);        // reads some records
//   file.CloseIdle();
//   journal.Write(file.PositionOf(commit));         // with the batches of stage 1
//   file.OnDurable(commit);
//
// Plain files are followed through rotation (ingest/sources/followed_file.h). Files of a format
// without timestamps are copied into a record log with the time of reading, and read from there, so
// that replay gives the same result (docs/decisions/033). Compressed files and stdin are read to
// their end once.
//
// Errors of the file are reported as its state; no function fails. Stage 2 waits for a file while
// it is inside (`is_inside_`). A file joins with its first record, after the ticks that are already
// decided. It leaves when it is gone, or when it is idle at a time far from now and would delay the
// others. It joins again when records are added. Used only by the input's thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "ingest/decoder.h"
#include "ingest/sources/record_log.h"
#include "ingest/sources/rotation.h"
#include "ingest/sources/tail.h"
#include "runtime/engine_setup.h"
#include "service/batch_log.h"
#include "service/input.h"

namespace tocsin {

// The current time, and the progress of the partitions of all inputs (SourceBoard::Ticks).
struct FileClock {
  TimeUs monotonic = 0;
  TimeUs wall = 0;
  TimeUs due_tick = kNoTime;
  TimeUs furthest_tick = kNoTime;
};

class FilePartition : public InputPartition {
 public:
  // A file is considered gone when it has been missing for this long.
  static constexpr DurationUs kGoneAfter = 60 * kSecondUs;
  // A file that is idle at its end, at a time far from now, leaves after this long: before it would
  // be excluded (SourceBoard::kExcludeAfter).
  static constexpr DurationUs kDormantAfter = 20 * kSecondUs;

  // Limits of the log of a copied file: small, because there may be many.
  static constexpr std::int64_t kCopyBytesMax = 16 << 20;
  static constexpr std::int64_t kCopySegmentBytes = 4 << 20;
  static constexpr std::size_t kCopiedFilesMax = 64;

  struct Options {  // all outlive the partition
    const InputConfig* config = nullptr;
    const EngineSetup* setup = nullptr;
    BatchLog* batches = nullptr;
    DeadLetterObserver* dead_letters = nullptr;
    RecordLog* log = nullptr;                    // of an HTTP input: read instead of the file
    bool may_go = false;                         // one of several: it is removed when it is gone
    std::size_t* copied_files = nullptr;         // of the input; at most kCopiedFilesMax
    std::vector<std::string>* losses = nullptr;  // gets a sentence for each loss of records
  };

  FilePartition(const Options& options, LogFiles files);
  ~FilePartition();
  FilePartition(const FilePartition&) = delete;
  FilePartition& operator=(const FilePartition&) = delete;

  // Opens the file at its last committed position. False if that is not possible now; call again
  // later. With `at_start`, stage 2 still waits for a file that it knew before the restart.
  bool Prepare(const FileClock& clock, bool at_start = false);

  // Reads at most `records_max` records and returns their number.
  int Turn(const FileClock& clock, int records_max);
  void CloseIdle();
  // The position to store in the journal for stage 1's newest commit.
  std::string PositionOf(const SourceCommit& commit);
  void OnDurable(const SourceCommit& commit);

  // Whether stage 2 knows it, or its last batches are not taken yet. A file that was read
  // completely stays a partition, for its counters.
  bool is_partition() const {
    const bool is_read = done_ && !gone_ && stage1->counters().records > 0;
    return is_inside_ || (ended && commit_due) || is_read;
  }
  // is_partition(), and remembers the answer: a partition that was listed is not destroyed.
  bool List() { return is_listed_ = is_partition(); }
  // Ends the partition at the current position, because its file belongs to another log.
  void Retire();
  // Whether it may be destroyed: the file is gone, its records are committed, and it is not listed.
  bool is_gone() const { return gone_ && !is_partition() && !is_listed_; }
  bool is_done() const { return done_; }  // no more records will follow
  // Why the only file of an input is missing; empty: it exists, or it is one of several.
  std::string Missing() const;

  const std::string& path() const { return files_.path; }
  const std::string& source() const { return source_; }
  SourceState state() const;
  bool Owns(const std::string& path) const { return tail_ != nullptr && tail_->Owns(path); }

 private:
  struct Position;
  struct Copied {
    std::string text;
    std::int64_t mark = 0;
  };

  const std::string& reason() const;
  absl::StatusOr<Position> ReadPosition() const;
  // Determines the format and opens the file.
  absl::Status Open(const Position& position);
  absl::Status OpenFile(const Position& position, Framing framing);
  absl::Status OpenLog();
  // At the start: reports a loss if the log is shorter than what was read from it.
  void CheckLogEnd();
  absl::Status NewStage1();
  // Whether the journal has a position of the file; if not, requests that one is written.
  bool IsWritten();
  void Lose(std::string what);

  // The next record, from the file or from the log.
  Tail::Result Next(const FileClock& clock, LineReader::Line* line);
  Tail::Result NextOfLog(const FileClock& clock, LineReader::Line* line);
  // Copies new records of the file into its log.
  Tail::Result Copy(const FileClock& clock);
  absl::Status AppendCopies(const FileClock& clock);
  void Feed(const FileClock& clock, const LineReader::Line& line);
  void Join(const FileClock& clock);
  void Leave();
  void ReachEnd(const FileClock& clock, Tail::Result result);
  void Fail(const FileClock& clock, const absl::Status& status);
  void LogState(const FileClock& clock);

  const Options options_;
  const LogFiles files_;
  const std::string source_;
  InputConfig config_;  // with its format resolved

  std::unique_ptr<Tail> tail_;          // reads a file
  std::unique_ptr<RecordLog> copies_;   // copies of a file without timestamps
  const RecordLog* log_ = nullptr;      // the log that reader_ reads and this process writes
  std::unique_ptr<LineReader> reader_;  // reads a record log or stdin
  std::uint64_t log_next_ = 0;
  std::uint64_t damaged_bytes_ = 0;
  std::vector<Copied> pending_;    // read, but not in copies_ yet
  std::int64_t copied_until_ = 0;  // copied by an earlier process that was killed before the commit
  std::string tail_position_;      // before pending_
  bool copied_ = false;            // in this turn
  Tail::Result copy_result_ = Tail::Result::kEnd;
  bool assumes_time_ = false;
  bool is_sent_ = false;     // its position was appended to the batch log …
  bool is_written_ = false;  // … and one is durable

  bool is_inside_ = false, is_listed_ = false, gone_ = false, done_ = false;
  TimeUs end_seen_at_ = kNoTime;  // wall time; everything written before this has been read
  TimeUs turned_at_ = 0, retry_at_ = 0;
  DurationUs at_end_for_ = 0;
  std::string fault_, logged_;
  bool is_missing_ = false;  // fault_ says that the file is missing
  TimeUs logged_at_ = 0;
};

}  // namespace tocsin

// One file of an input of the running engine: a source partition, once it holds a record.
//
//   FilePartition file(options, {.path = path, .name = name});
//   file.Turn(clock, /*records_max=*/4'096);        // reads some of what there is
//   file.CloseIdle();
//   journal.Write(file.PositionOf(commit));         // with the batches of stage 1
//   file.OnDurable(commit);
//
// Plain files are followed through rotation (ingest/sources/followed_file.h). Those of a format that does
// not say when its events were are copied into a record log with the time of reading, and read from
// there, so that replay agrees (docs/decisions/033). Compressed files and stdin end at their end.
//
// Whatever is wrong with the file is a state: nothing here fails. Stage 2 knows of a file once it
// `is_inside`: it joins with its first record, behind the ticks that are decided already, and leaves
// when it is gone, or when it stands still in a time of its own and holds the others up; it joins
// again when something is added. Of the input's thread.
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

// What time it is, and where the partitions of all inputs stand (SourceBoard::Ticks).
struct FileClock {
  TimeUs monotonic = 0;
  TimeUs wall = 0;
  TimeUs due_tick = kNoTime;
  TimeUs furthest_tick = kNoTime;
};

class FilePartition : public InputPartition {
 public:
  // A file is given up for dead when it has not been there for so long.
  static constexpr DurationUs kGoneAfter = 60 * kSecondUs;
  // One that stands at its end, in a time far from now, is waited for so long: less than what makes
  // it be excluded.
  static constexpr DurationUs kDormantAfter = 20 * kSecondUs;

  // Of a copied file: the log is small, because there may be many.
  static constexpr std::int64_t kCopyBytesMax = 16 << 20;
  static constexpr std::int64_t kCopySegmentBytes = 4 << 20;
  static constexpr std::size_t kCopiedFilesMax = 64;

  struct Options {  // all outlive the partition
    const InputConfig* config = nullptr;
    const EngineSetup* setup = nullptr;
    BatchLog* batches = nullptr;
    DeadLetterObserver* dead_letters = nullptr;
    RecordLog* log = nullptr;                    // of an input by HTTP, which the file then is
    bool may_go = false;                         // one of several: it is forgotten when it is gone
    std::size_t* copied_files = nullptr;         // of the input; at most kCopiedFilesMax
    std::vector<std::string>* losses = nullptr;  // records that are lost, a sentence each
  };

  FilePartition(const Options& options, LogFiles files);
  ~FilePartition();
  FilePartition(const FilePartition&) = delete;
  FilePartition& operator=(const FilePartition&) = delete;

  // Opens it where its last commit says; false where that cannot be done at the moment. At the start
  // stage 2 waits for those that it knew of before.
  bool Prepare(const FileClock& clock, bool at_start = false);

  // Reads at most so many records; how many it were.
  int Turn(const FileClock& clock, int records_max);
  void CloseIdle();
  // What the journal is to keep of stage 1's newest commit.
  std::string PositionOf(const SourceCommit& commit);
  void OnDurable(const SourceCommit& commit);

  // Whether it is known to stage 2, or was until its last batches are taken; one that was read to its
  // end for good stays, for its counters.
  bool is_partition() const {
    const bool is_read = done_ && !gone_ && stage1->counters().records > 0;
    return is_inside_ || (ended && commit_due) || is_read;
  }
  // The same, said to whom it is listed for.
  bool List() { return is_listed_ = is_partition(); }
  // Its file has turned out to belong to another log: it ends where it was read to.
  void Retire();
  // Whether it may be forgotten: it is gone, all of it is committed, and it is not listed any more.
  bool is_gone() const { return gone_ && !is_partition() && !is_listed_; }
  bool is_done() const { return done_; }  // nothing will follow
  // Why the one file of an input is not there; empty: it is, or is one of several.
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
  // How the file is read, once its format is known.
  absl::Status Open(const Position& position);
  absl::Status OpenFile(const Position& position, Framing framing);
  absl::Status OpenLog();
  // At the start: whether the log still has what was read of it.
  void CheckLogEnd();
  absl::Status NewStage1();
  // Whether the journal has a position of it; asks for one.
  bool IsWritten();
  void Lose(std::string what);

  // The next record of whatever it is read from.
  Tail::Result Next(const FileClock& clock, LineReader::Line* line);
  Tail::Result NextOfLog(const FileClock& clock, LineReader::Line* line);
  // Copies what the file holds into its log.
  Tail::Result Copy(const FileClock& clock);
  absl::Status AppendCopies(const FileClock& clock);
  void Feed(const FileClock& clock, const LineReader::Line& line);
  void Join(const FileClock& clock);
  void Leave();
  void ReachEnd(const FileClock& clock, Tail::Result result);
  void Fail(const FileClock& clock, const absl::Status& status);
  void TellState(const FileClock& clock);

  const Options options_;
  const LogFiles files_;
  const std::string source_;
  InputConfig config_;  // with its format resolved

  std::unique_ptr<Tail> tail_;          // of a file
  std::unique_ptr<RecordLog> copies_;   // of one whose records have no time
  const RecordLog* log_ = nullptr;      // that reader_ reads and this process writes
  std::unique_ptr<LineReader> reader_;  // of a record log, or of stdin
  std::uint64_t log_next_ = 0;
  std::uint64_t damaged_bytes_ = 0;
  std::vector<Copied> pending_;    // read, and not in copies_ yet
  std::int64_t copied_until_ = 0;  // by whoever was killed before it was committed
  std::string tail_position_;      // before pending_
  bool copied_ = false;            // in this turn
  Tail::Result copy_result_ = Tail::Result::kEnd;
  bool assumes_time_ = false;
  bool is_sent_ = false;     // its position was appended to the batch log …
  bool is_written_ = false;  // … and one is durable

  bool is_inside_ = false, is_listed_ = false, gone_ = false, done_ = false;
  TimeUs end_seen_at_ = kNoTime;  // wall time: all that was written before has been read
  TimeUs turned_at_ = 0, retry_at_ = 0;
  DurationUs at_end_for_ = 0;
  std::string fault_, told_;
  bool is_missing_ = false;  // that is fault_
  TimeUs told_at_ = 0;
};

}  // namespace tocsin

// One file of an input of the running engine: a source partition, once it holds a record.
//
//   FilePartition file(options, {.path = path, .name = name});
//   file.Turn(clock, /*lines_max=*/4'096);          // reads some of what there is
//   file.CloseIdle(clock);
//   file.Commit();
//
// Plain files are followed through rotation (ingest/followed_file.h). Those of a format that does
// not say when its events were are copied into a record log with the time of reading, and read from
// there, so that replay agrees (docs/decisions/NNN). Compressed files and stdin end at their end.
//
// Whatever is wrong with the file is a state: nothing here fails. Stage 2 knows of a file once it
// `is_inside`: it joins with its first record, behind the ticks that are decided already, and leaves
// when it is gone, or when it stands still in a time of its own and holds the others up; it joins
// again when something is added. Reading thread only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "app/input.h"
#include "ingest/decoder.h"
#include "ingest/file_source.h"
#include "ingest/record_log.h"
#include "ingest/rotation.h"
#include "ingest/tail.h"
#include "journal/journal.h"
#include "replay/engine_setup.h"

namespace tocsin {

class FilePartition : public InputPartition {
 public:
  // A file is given up for dead when it has not been there for so long.
  static constexpr DurationUs kGoneAfter = 60 * kSecondUs;
  // One that stands at its end, in a time far from now, is waited for so long: less than what makes
  // the reader exclude it.
  static constexpr DurationUs kDormantAfter = 20 * kSecondUs;

  // Of a copied file: the log is small, because there may be many.
  static constexpr std::int64_t kCopyBytesMax = 16 << 20;
  static constexpr std::int64_t kCopySegmentBytes = 4 << 20;
  static constexpr std::size_t kCopiedFilesMax = 64;

  struct Options {  // all outlive the partition
    const InputConfig* config = nullptr;
    const EngineSetup* setup = nullptr;
    Journal* journal = nullptr;
    DeadLetterObserver* dead_letters = nullptr;
    RecordLog* log = nullptr;             // of an input by HTTP, which the file then is
    bool may_go = false;                  // one of several: it is forgotten when it is gone
    std::size_t* copied_files = nullptr;  // of the input; at most kCopiedFilesMax
  };

  FilePartition(const Options& options, LogFiles files);
  ~FilePartition();
  FilePartition(const FilePartition&) = delete;
  FilePartition& operator=(const FilePartition&) = delete;

  // Opens it where its last commit says; false where that cannot be done at the moment.
  bool Prepare(const InputClock& clock);

  // Reads at most so many records; how many it were.
  int Turn(const InputClock& clock, int records_max);
  void CloseIdle();
  // Not if it was done less than `every` ago and nothing hangs on it: then it stays due.
  absl::Status Commit(DurationUs every = 0);

  // Whether it is known to stage 2, or was until its last batches are committed.
  bool is_partition() const { return is_inside_ || (ended && commit_due); }
  // Whether it has joined since the last call.
  bool TakeJoined() { return std::exchange(joined_, false); }
  // Its file has turned out to belong to another log: it ends where it was read to.
  void Retire();
  // Whether it may be forgotten: it is gone, and all of it is committed.
  bool is_gone() const { return gone_ && !is_partition(); }
  bool is_done() const { return done_; }  // nothing will follow

  const std::string& path() const { return files_.path; }
  const std::string& name() const { return files_.name; }
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
  absl::Status NewStage1();
  absl::Status Write(const SourceCommit& commit);

  // The next record of whatever it is read from.
  Tail::Result Next(const InputClock& clock, LineReader::Line* line);
  Tail::Result NextOfLog(const InputClock& clock, LineReader::Line* line);
  // Copies what the file holds into its log.
  Tail::Result Copy(const InputClock& clock);
  absl::Status AppendCopies(const InputClock& clock);
  void Feed(const InputClock& clock, const LineReader::Line& line);
  void Join(const InputClock& clock);
  void Leave();
  void ReachEnd(const InputClock& clock, Tail::Result result);
  void Fail(const InputClock& clock, const absl::Status& status);
  void TellState(const InputClock& clock);

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
  bool is_written_ = false;  // its position is known to the journal

  bool is_inside_ = false, joined_ = false, gone_ = false, done_ = false;
  bool live_ = false;             // its newest record was near the time it was read
  TimeUs end_seen_at_ = kNoTime;  // wall time: all that was written before has been read
  TimeUs turned_at_ = 0, retry_at_ = 0, written_at_ = INT64_MIN / 2;
  DurationUs at_end_for_ = 0;
  std::string fault_, told_;
  bool is_missing_ = false;  // that is fault_
  TimeUs told_at_ = 0;
};

}  // namespace tocsin

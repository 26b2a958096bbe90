// A log that is rotated while it is read.
//
// The file at the path and those that it was rotated into are one log: what was not read of a file
// when it was renamed, removed or compressed is read to its end first, then whatever was rotated in
// between, then the new file from its beginning. A file that was renamed is watched until nothing
// has been written to it for kLingerFor, because its writers may still have it open. After a cut
// (copytruncate) the rest of what it held is looked for in its copies. Nothing is read twice: a file
// is known by inode and content (log_generation.h), so a copy or an archive of what was read is not
// read again, and after a restart reading goes on in the right file wherever it is now.
//
// What cannot be saved: what is written between the copy and the cut of copytruncate; what was
// removed before it was read; a file that was cut and written anew up to the same bytes at the same
// place.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ingest/sources/log_generation.h"
#include "ingest/sources/log_segments.h"
#include "ingest/sources/tail.h"

namespace tocsin {

class FollowedFile final : public Tail {
 public:
  static constexpr DurationUs kLingerFor = 30 * kSecondUs;
  static constexpr DurationUs kRetryMin = 200 * kMillisecondUs;
  static constexpr DurationUs kRetryMax = 5 * kSecondUs;
  // A file of the past that cannot be read is given up then; that at the path never is.
  static constexpr DurationUs kGiveUpAfter = 60 * kSecondUs;
  static constexpr std::size_t kKnownMax = 16;
  // So that a file with a late writer is not read by turns with the newest too often.
  static constexpr DurationUs kLookAtRotatedEvery = kSecondUs;

  explicit FollowedFile(TailOptions options) : options_(std::move(options)) {}

  Result Next(TimeUs now, LineReader::Line* line) override;
  TimeUs looked_at() const override { return looked_at_; }
  std::string Position(std::uint64_t oldest) override;
  absl::Status Restore(std::string_view position) override;
  // Goes on at a position of the last release, which knew only how many bytes of the path's file it
  // had read: `oldest` is where reading begins, `next` what comes after the last record.
  void RestoreBytes(std::uint64_t oldest, std::uint64_t next);

  State state() const override { return state_; }
  const std::string& reason() const override { return reason_; }
  TimeUs missing_since() const override { return missing_since_; }
  TimeUs modified() const override;
  bool Owns(const std::string& path) const override;
  std::vector<Note> TakeNotes() override { return std::exchange(notes_, {}); }

 private:
  struct File {
    std::uint64_t id = 0;
    LogGeneration log;
    bool rotated = false;     // it is not at the path any more
    bool at_end = false;      // when it was last looked at
    bool completing = false;  // nothing more is expected of it
    bool finished = false;
    TimeUs rotated_at = 0, grew_at = 0, looked_at = 0;
    std::int64_t uncut_at = 0;  // its time, in ns, when it was known not to have been cut
    TimeUs failing_since = kNoTime, retry_at = 0;
    DurationUs retry_after = kRetryMin;
  };

  // Of a rotated file of the folder.
  struct Rotated {
    std::string path;
    FileFacts facts;
    const LogGeneration* owner = nullptr;  // of files_ or known_: the one that it is, or a copy of
  };

  // One turn: looks at the path, then reads all files from the oldest on to their ends.
  void BeginTurn(TimeUs now);
  void Look(TimeUs now);
  // There is a file at the path, perhaps another than before.
  void TakeNewFile(TimeUs now, const FileFacts& facts);
  bool ComeBack(TimeUs now, const FileFacts& facts);
  bool Replaced(File* file);
  void Refresh(File* file, TimeUs now);
  void ReachEnd(File* file);
  void Complete(File* file);
  void Finish(File* file);
  void Cut(std::size_t index, TimeUs now);
  void Fail(File* file, TimeUs now);
  void Lose(File* file, const char* why);
  Result Outcome() const;
  bool IsAtPath(const LogGeneration& log) const {
    return path_facts_ && log.identity().IsFile(*path_facts_);
  }

  File& Push(const std::string& path, const FileFacts* facts);
  File& PushRotated(const Rotated& rotated, TimeUs now);
  void PushUnread(const File& newest, TimeUs now);
  bool PushCopies(TimeUs now);
  // Opens a file where it was last seen, or wherever it is now.
  void OpenFile(File* file, TimeUs now);
  // Opens the file that `log` is: anywhere but where it was last seen. `owner` is what is known of
  // it in files_; `log` may be another reader of the same.
  LogGeneration::Found Find(LogGeneration* log, const LogGeneration& owner,
                            std::optional<std::uint64_t> from = std::nullopt) const;
  // The same for a file of which nothing is known but between which others it was written.
  LogGeneration::Found FindByOrder(File* file) const;
  // Oldest first.
  std::vector<Rotated> ListRotated() const;
  void SetOwners(std::vector<Rotated>* rotated) const;
  // Those that were rotated after `newest`.
  std::vector<Rotated> Unread(const LogGeneration& newest) const;
  // Those before `newest` that are nobody's and were changed at this time (in ns) or later.
  std::vector<Rotated> Before(const LogGeneration& newest, std::int64_t since) const;

  // Of a restart: the next record of what is read again; nullopt: all of it has been.
  std::optional<Result> ReadAgain(TimeUs now, LineReader::Line* line);
  LogGeneration::Found OpenAgain(const LogSegments::Part& part);
  Result FailAgain(TimeUs now);

  const TailOptions options_;
  std::deque<File> files_;           // in the order in which they were written
  std::deque<LogGeneration> known_;  // finished before those
  LogSegments segments_;
  std::uint64_t next_id_ = 1;
  std::vector<LogSegments::Part> again_parts_;
  std::optional<LogGeneration> again_;
  bool again_completing_ = false;
  TimeUs again_retry_at_ = 0;
  bool restored_ = false;

  bool in_turn_ = false;
  std::size_t cursor_ = 0;
  TimeUs looked_at_ = 0;
  bool blocked_ = false;  // in this turn
  std::optional<FileFacts> path_facts_;
  State state_ = State::kMissing;
  std::string reason_;
  TimeUs missing_since_ = kNoTime;
  std::vector<Note> notes_;
};

}  // namespace tocsin

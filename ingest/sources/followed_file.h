// Follows a log file that is rotated while it is read.
//
// The file at the path and the files that it was rotated into form one log. When a file is renamed,
// removed or compressed, its unread rest is read first, then any files rotated in between, then the
// new file from its beginning. While an older file cannot be read, newer ones wait. A renamed file
// is watched until nothing was written to it for kLingerFor, because its writers may still have it
// open. After a truncation (copytruncate) the unread rest is searched in the file's copies. Nothing
// is read twice: a file is identified by inode and content (log_generation.h), so copies and
// archives of what was read are skipped, and after a restart reading continues in the right file
// even if it was moved.
//
// These bytes are lost: those written between copytruncate's copy and its truncation; those of a
// file that was removed before they were read; and those of a file that was truncated and rewritten
// with the same bytes just before the position. See tail.h for an example. Not thread-safe.
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
  // A rotated file that cannot be read is given up after this, while a newer one could be; the file
  // at the path never is.
  static constexpr DurationUs kGiveUpAfter = 60 * kSecondUs;
  static constexpr std::size_t kKnownMax = 16;
  // Limits how often reading alternates between the newest file and a rotated one that still grows.
  static constexpr DurationUs kLookAtRotatedEvery = kSecondUs;

  explicit FollowedFile(TailOptions options) : options_(std::move(options)) {}

  Result Next(TimeUs now, LineReader::Line* line) override;
  TimeUs looked_at() const override { return looked_at_; }
  std::string Position(std::uint64_t oldest) override;
  absl::Status Restore(std::string_view position) override;
  // Restores a position of the previous release, which stored only byte offsets of the file at the
  // path: reading begins at `oldest`; `next` is the end of the last record.
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
    bool rotated = false;     // no longer at the path
    bool at_end = false;      // read to its end when last checked
    bool completing = false;  // no more data is expected; an incomplete last record is delivered
    bool finished = false;
    bool read_out = false;  // read to its end since it was rotated
    TimeUs rotated_at = 0, grew_at = 0, looked_at = 0;
    std::int64_t uncut_at = 0;  // its modification time (ns) when it was last known not to be cut
    TimeUs failing_since = kNoTime, retry_at = 0;
    TimeUs alone_since = kNoTime;  // failing while a newer file could be opened
    DurationUs retry_after = kRetryMin;
  };

  // A rotated file in the folder.
  struct Rotated {
    std::string path;
    FileFacts facts;
    const LogGeneration* owner = nullptr;  // the element of files_ or known_ that it is or copies
  };

  // Begins a turn: checks the path; then Next reads all files to their ends, oldest first.
  void BeginTurn(TimeUs now);
  void Look(TimeUs now);
  // Handles the file at the path, which may have been replaced.
  void TakeNewFile(TimeUs now, const FileFacts& facts);
  bool ComeBack(TimeUs now, const FileFacts& facts);
  bool Replaced(File* file);
  void Refresh(File* file, TimeUs now);
  void ReachEnd(File* file);
  void Complete(File* file);
  void Finish(File* file);
  void Cut(std::size_t index, TimeUs now);
  void Fail(File* file, TimeUs now);
  // Whether what was written after `file` must wait: it would move the clock past what the file may
  // still hold.
  static bool HoldsUpNewer(const File& file) {
    return !file.finished && !file.log.is_open() && !file.read_out;
  }
  void Lose(File* file, const char* why);
  Result Outcome() const;
  bool IsAtPath(const LogGeneration& log) const {
    return path_facts_ && log.identity().IsFile(*path_facts_);
  }

  File& Push(const std::string& path, const FileFacts* facts);
  File& PushRotated(const Rotated& rotated, TimeUs now);
  void PushUnread(const File& newest, TimeUs now);
  enum class Copies : std::uint8_t { kNone, kPushed, kUnreadable };
  Copies PushCopies(TimeUs now);
  // Opens a file where it was last seen, or else where it is now.
  void OpenFile(File* file, TimeUs now);
  // Searches for the file of `log` and opens it. `owner` is its element of files_; `log` may be a
  // second reader of the same file.
  LogGeneration::Found Find(LogGeneration* log, const LogGeneration& owner,
                            std::optional<std::uint64_t> from = std::nullopt) const;
  // The same for a file that has no known content: finds it by its place in the rotation order.
  LogGeneration::Found FindByOrder(File* file) const;
  // Why rotated files cannot be looked for at present; empty when they can.
  std::string ListingFault() const;
  // Whether the rotation of `newest` must wait until it is known what the files after it are: a
  // copy that cannot be read would be taken for a new file. For kGiveUpAfter at most, because a
  // folder that may only be searched must not end the log.
  bool AwaitRotated(const File& newest, TimeUs now);
  bool Wait(std::string fault, TimeUs now);
  // Oldest first.
  std::vector<Rotated> ListRotated() const;
  void SetOwners(std::vector<Rotated>* rotated) const;
  // The files that were rotated after `newest`.
  std::vector<Rotated> Unread(const LogGeneration& newest) const;
  // The files just before `newest` that have no owner and were modified at `since` (in ns) or
  // later.
  std::vector<Rotated> Before(const LogGeneration& newest, std::int64_t since) const;

  // After a restart: the next record of the part to read again; nullopt: that part is complete.
  std::optional<Result> ReadAgain(TimeUs now, LineReader::Line* line);
  LogGeneration::Found OpenAgain(const LogSegments::Part& part);
  Result FailAgain(TimeUs now);
  void LosePart();

  const TailOptions options_;
  std::deque<File> files_;           // in the order in which they were written
  std::deque<LogGeneration> known_;  // older, finished files
  LogSegments segments_;
  std::uint64_t next_id_ = 1;
  std::vector<LogSegments::Part> again_parts_;
  std::optional<LogGeneration> again_;
  bool again_completing_ = false;
  TimeUs again_retry_at_ = 0;
  TimeUs again_alone_since_ = kNoTime;  // failing while the file at the path could be read
  bool restored_ = false;

  bool in_turn_ = false;
  std::size_t cursor_ = 0;
  TimeUs looked_at_ = 0;
  bool blocked_ = false;  // in this turn
  std::optional<FileFacts> path_facts_;
  State state_ = State::kMissing;
  std::string reason_;
  TimeUs missing_since_ = kNoTime;
  TimeUs rotation_waits_since_ = kNoTime;
  std::vector<Note> notes_;
};

}  // namespace tocsin

#include "ingest/sources/followed_file.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

namespace tocsin {
namespace {

using Found = LogGeneration::Found;

// Resolves links, so that the file is found again after a link was switched.
std::string RealPath(const std::string& path) {
  std::error_code error;
  const std::filesystem::path real = std::filesystem::canonical(path, error);
  return error ? path : real.string();
}

}  // namespace

Tail::Result FollowedFile::Next(TimeUs now, LineReader::Line* line) {
  if (const std::optional<Result> again = ReadAgain(now, line)) return *again;
  for (;;) {
    if (!in_turn_) BeginTurn(now);
    while (cursor_ < files_.size()) {
      File& file = files_[cursor_];
      if (HoldsUpNewer(file)) {
        blocked_ = true;
        break;
      }
      // At the segment limit only the newest file is read on, which needs no further segment.
      const bool waits = segments_.full() && cursor_ + 1 < files_.size();
      if (file.finished || file.at_end || !file.log.is_open() || waits) {
        blocked_ = blocked_ || (waits && !file.finished && !file.at_end);
        ++cursor_;
        continue;
      }
      const std::uint64_t before = file.log.offset();
      if (before == 0 && cursor_ + 1 == files_.size()) {
        const Copies copies = PushCopies(now);
        if (copies == Copies::kPushed) continue;
        if (copies == Copies::kUnreadable) break;
      }
      switch (file.log.Next(line)) {
        case LogGeneration::Read::kLine:
          file.grew_at = now;
          // Includes the bytes between records, so that offsets do not depend on where a segment
          // began: after a restart the same records have the same offsets.
          line->offset = segments_.Add(file.id, before, line->next_offset) + line->offset - before;
          line->next_offset = segments_.end();
          return Result::kLine;
        case LogGeneration::Read::kEnd:
          ReachEnd(&file);
          break;
        case LogGeneration::Read::kCut:
          Cut(cursor_, now);
          break;
        case LogGeneration::Read::kFailed:
          Fail(&file, now);
          break;
      }
    }
    in_turn_ = false;
    return Outcome();
  }
}

Tail::Result FollowedFile::Outcome() const {
  if (blocked_) return Result::kBlocked;
  const bool all_finished =
      std::all_of(files_.begin(), files_.end(), [](const File& file) { return file.finished; });
  return !options_.grows && !files_.empty() && all_finished ? Result::kDone : Result::kEnd;
}

void FollowedFile::BeginTurn(TimeUs now) {
  in_turn_ = true;
  cursor_ = 0;
  looked_at_ = now;
  blocked_ = false;
  for (std::size_t i = 0; i < files_.size();) {
    File& file = files_[i];
    // The last element represents the file at the path.
    if (!file.finished || i + 1 == files_.size() || segments_.Uses(file.id)) {
      ++i;
      continue;
    }
    known_.push_back(std::move(file.log));
    if (known_.size() > kKnownMax) known_.pop_front();
    files_.erase(files_.begin() + static_cast<std::ptrdiff_t>(i));
  }
  Look(now);
  for (std::size_t i = 0; i < files_.size(); ++i) Refresh(&files_[i], now);
}

void FollowedFile::Look(TimeUs now) {
  path_facts_.reset();
  FileFacts facts;
  if (!FileFacts::At(options_.path, &facts)) {
    const bool is_missing = errno == ENOENT || errno == ENOTDIR;
    state_ = is_missing ? State::kMissing : State::kFailing;
    reason_ = options_.path + ": " + std::strerror(errno);
    blocked_ = !is_missing;
    if (is_missing && missing_since_ == kNoTime) missing_since_ = now;
    return;
  }
  missing_since_ = kNoTime;
  if (!facts.is_file()) {
    state_ = State::kFailing;
    reason_ = options_.path + ": is " + FileKind(facts) + ": expected a file";
    return;
  }
  state_ = State::kReading;
  reason_.clear();
  path_facts_ = facts;
  TakeNewFile(now, facts);
}

void FollowedFile::TakeNewFile(TimeUs now, const FileFacts& facts) {
  if (files_.empty()) {
    if (!restored_) {
      for (const std::string& older : options_.older) Push(older, nullptr).rotated = true;
    }
    Push(RealPath(options_.path), &facts);
    return;
  }
  if (File& last = files_.back(); !last.finished && !last.log.is_open() && now >= last.retry_at) {
    OpenFile(&last, now);
  }
  if (PushCopies(now) == Copies::kUnreadable || ComeBack(now, facts)) return;
  File& newest = files_.back();
  if (Replaced(&newest)) return;
  // Several rotations may have happened, and only the list shows the files in between.
  if (AwaitRotated(newest, now)) return;
  if (!newest.rotated) newest.rotated_at = now;
  newest.rotated = true;
  PushUnread(newest, now);
  Push(RealPath(options_.path), &facts);
}

// A file of which nothing was read may have been copied and truncated since it was last checked.
// Its content cannot reveal that, so files that were rotated meanwhile are read before it.
FollowedFile::Copies FollowedFile::PushCopies(TimeUs now) {
  File& newest = files_.back();
  if (newest.log.offset() > 0) return Copies::kNone;
  const std::optional<FileFacts> facts = newest.log.Facts();
  if (!facts || facts->modified == newest.uncut_at) return Copies::kNone;
  if (std::string fault = ListingFault(); !fault.empty() && Wait(std::move(fault), now)) {
    return Copies::kUnreadable;
  }
  const std::vector<Rotated> copies = Before(newest.log, newest.uncut_at);
  for (const Rotated& copy : copies) {
    // It may be what the newest file was renamed or compressed to.
    if (CanBeRead(copy.path) || !Wait(copy.path + ": cannot be read", now)) continue;
    return Copies::kUnreadable;
  }
  newest.uncut_at = facts->modified;
  const auto count = static_cast<std::ptrdiff_t>(files_.size());
  for (const Rotated& copy : copies) OpenFile(&PushRotated(copy, now), now);
  std::rotate(files_.begin() + count - 1, files_.begin() + count, files_.end());
  return copies.empty() ? Copies::kNone : Copies::kPushed;
}

bool FollowedFile::AwaitRotated(const File& newest, TimeUs now) {
  std::string fault = ListingFault();
  for (const Rotated& unread : Unread(newest.log)) {
    if (fault.empty() && !CanBeRead(unread.path)) fault = unread.path + ": cannot be read";
  }
  if (fault.empty()) {
    rotation_waits_since_ = kNoTime;
    return false;
  }
  return Wait(std::move(fault), now);
}

bool FollowedFile::Wait(std::string fault, TimeUs now) {
  // When nothing can be read, that is no reason to go on.
  if (rotation_waits_since_ == kNoTime || !CanBeRead(options_.path)) rotation_waits_since_ = now;
  if (now - rotation_waits_since_ >= kGiveUpAfter) {
    rotation_waits_since_ = kNoTime;
    return false;
  }
  state_ = State::kFailing;
  reason_ = std::move(fault);
  blocked_ = true;
  return true;
}

// Whether the file at the path is known. It may be the newest one, or an older one if a rotation
// was undone or a link switched back: that one becomes the newest again.
bool FollowedFile::ComeBack(TimeUs now, const FileFacts& facts) {
  if (files_.back().log.identity().IsFile(facts)) return true;
  const auto is_it = [&](const LogGeneration& log) {
    return log.identity().IsFile(facts) &&
           (log.is_open() || HoldsContent(options_.path, log.identity()));
  };
  for (std::size_t i = 0; i < known_.size(); ++i) {
    if (!is_it(known_[i])) continue;
    files_.push_front({.id = next_id_++, .log = std::move(known_[i])});
    files_.front().finished = true;
    known_.erase(known_.begin() + static_cast<std::ptrdiff_t>(i));
    break;
  }
  const auto found =
      std::find_if(files_.begin(), files_.end(), [&](const File& file) { return is_it(file.log); });
  if (found == files_.end()) return false;
  files_.back().rotated = true;
  files_.back().rotated_at = now;
  std::rotate(found, std::next(found), files_.end());
  File& newest = files_.back();
  newest.rotated = false;
  if (std::exchange(newest.finished, false)) OpenFile(&newest, now);
  return true;
}

// Handles a file that was rewritten under another name and moved to the path, as rsync and editors
// do. If it contains everything that the old file did and the old one was deleted rather than
// rotated, reading continues at the same position.
bool FollowedFile::Replaced(File* file) {
  const std::optional<FileFacts> old = file->log.Facts();
  if (!old || old->links > 0 || !file->log.Learn()) return false;
  const std::optional<FileIdentity> whole = file->log.Whole();
  if (!whole || !HoldsContent(options_.path, *whole)) return false;
  for (const Rotated& rotated : ListRotated()) {
    if (rotated.owner == &file->log) return false;
  }
  return file->log.Open(RealPath(options_.path), options_.framing, /*by_content=*/true) ==
         Found::kYes;
}

void FollowedFile::PushUnread(const File& newest, TimeUs now) {
  for (const Rotated& unread : Unread(newest.log)) PushRotated(unread, now);
}

FollowedFile::File& FollowedFile::PushRotated(const Rotated& rotated, TimeUs now) {
  File& file = Push(rotated.path, &rotated.facts);
  file.rotated = true;
  file.rotated_at = now;
  return file;
}

FollowedFile::File& FollowedFile::Push(const std::string& path, const FileFacts* facts) {
  files_.push_back({.id = next_id_++, .log = LogGeneration(path, facts)});
  files_.back().uncut_at = files_.back().log.modified();
  return files_.back();
}

void FollowedFile::Refresh(File* file, TimeUs now) {
  if (file->finished) return;
  if (!file->log.is_open()) {
    if (now >= file->retry_at) OpenFile(file, now);
    if (file->finished || file->log.is_open()) return;
    blocked_ = true;
    state_ = State::kFailing;
    reason_ = file->log.fault();
    return;
  }
  if (!file->at_end) return;
  const bool is_at_path = IsAtPath(file->log);
  if (!is_at_path && now - file->looked_at < kLookAtRotatedEvery) {
    looked_at_ = std::min(looked_at_, file->looked_at);
    return;
  }
  file->looked_at = now;
  const std::optional<FileFacts> facts = is_at_path ? path_facts_ : file->log.Facts();
  // An open file that does not show its metadata may have news as well.
  if (facts ? file->log.HasNews(*facts) : !file->log.is_compressed()) {
    file->at_end = false;
    return;
  }
  file->read_out = file->rotated;
  if (file->rotated && now - std::max(file->rotated_at, file->grew_at) >= kLingerFor) {
    Complete(file);
  }
}

void FollowedFile::ReachEnd(File* file) {
  if (file->completing) return Finish(file);
  file->at_end = true;
  file->read_out = file->rotated;
  file->failing_since = file->alone_since = kNoTime;
  if (const std::optional<FileFacts> facts = file->log.Facts()) file->log.See(*facts);
  file->log.Learn();
  if (file->log.is_compressed() || !options_.grows) Complete(file);
}

void FollowedFile::Complete(File* file) {
  file->completing = true;
  file->at_end = false;
  file->log.CompleteAtEnd();
}

void FollowedFile::Finish(File* file) {
  file->finished = true;
  file->log.Close();
}

void FollowedFile::Fail(File* file, TimeUs now) {
  blocked_ = true;
  state_ = State::kFailing;
  reason_ = file->log.fault();
  file->log.Close();
  if (file->failing_since == kNoTime) {
    file->failing_since = now;
    file->retry_after = kRetryMin;
  }
  file->retry_at = now + file->retry_after;
  file->retry_after = std::min(2 * file->retry_after, kRetryMax);
  // When nothing can be read, that is no reason to give up the older file.
  if (file == &files_.back() || !files_.back().log.is_open()) {
    file->alone_since = kNoTime;
  } else if (file->alone_since == kNoTime) {
    file->alone_since = now;
  }
  if (file->alone_since == kNoTime || now - file->alone_since < kGiveUpAfter) return;
  notes_.push_back({reason_ + ": given up: its unread bytes are lost", /*is_loss=*/true});
  file->finished = true;
}

void FollowedFile::OpenFile(File* file, TimeUs now) {
  Found found = file->log.Open(file->log.path(), options_.framing);
  if (found == Found::kOther || found == Found::kMissing) found = Find(&file->log, file->log);
  if (found == Found::kMissing && file->log.offset() == 0) found = FindByOrder(file);
  if (found == Found::kFailed) return Fail(file, now);
  if (found == Found::kYes) {
    file->at_end = file->completing = false;
    const bool is_at_path = IsAtPath(file->log);
    if (!is_at_path && !file->rotated) file->rotated_at = now;
    file->rotated = !is_at_path;
    return;
  }
  Lose(file, "no longer found");
}

void FollowedFile::Lose(File* file, const char* why) {
  file->finished = true;
  const std::uint64_t read = file->log.offset();
  const std::uint64_t size = file->log.size();
  // An older file that was read to its end was deleted by rotation: nothing to report.
  if (size > read || (read > 0 && file == &files_.back())) {
    std::string text =
        file->log.path() + ": " + why + " after " + std::to_string(read) + " bytes were read";
    if (size > read) text += "; at least " + std::to_string(size - read) + " bytes are lost";
    notes_.push_back({std::move(text), /*is_loss=*/size > read});
  }
  file->log.ForgetFile();
}

void FollowedFile::Cut(std::size_t index, TimeUs now) {
  File& file = files_[index];
  const bool was_at_path = !file.rotated;
  file.log.Abandon();
  file.rotated = true;
  file.rotated_at = now;
  file.at_end = file.completing = false;
  // The unread rest is either in a copy or lost.
  const Found found = file.log.identity().has_content() ? Find(&file.log, file.log) : Found::kOther;
  if (found == Found::kFailed) {
    Fail(&file, now);
  } else if (found != Found::kYes) {
    Lose(&file, "was truncated");
  }
  FileFacts facts;
  if (!was_at_path || !FileFacts::At(options_.path, &facts) || !facts.is_file()) return;
  path_facts_ = facts;
  const std::size_t before = files_.size();
  PushUnread(file, now);
  Push(RealPath(options_.path), &facts);
  for (std::size_t i = before; i < files_.size(); ++i) OpenFile(&files_[i], now);
}

TimeUs FollowedFile::modified() const {
  return files_.empty() ? kNoTime : files_.back().log.modified() / 1'000;
}

}  // namespace tocsin

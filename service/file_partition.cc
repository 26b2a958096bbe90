#include "service/file_partition.h"

#include <spdlog/spdlog.h>

#include <algorithm>

#include "core/limits.h"
#include "core/status_macros.h"
#include "core/string_hash.h"

namespace tocsin {
namespace {

constexpr DurationUs kRetryAfter = kSecondUs;
// A file that keeps failing is logged once a minute.
constexpr DurationUs kLogEvery = kMinuteUs;
// A longer pause of this process counts as this long: the file was not idle meanwhile.
constexpr DurationUs kStepMax = kSecondUs;
constexpr std::size_t kCopyRecords = 1'024;
constexpr std::size_t kCopyBytes = 1 << 20;

}  // namespace

FilePartition::FilePartition(const Options& options, LogFiles files)
    : options_(options),
      files_(std::move(files)),
      source_(options.config->name + '/' + files_.name),
      config_(*options.config) {}

const std::string& FilePartition::reason() const {
  return fault_.empty() && tail_ != nullptr ? tail_->reason() : fault_;
}

FilePartition::~FilePartition() {
  if (copies_ != nullptr) --*options_.copied_files;
}

SourceState FilePartition::state() const {
  const bool tail_fails = tail_ != nullptr && tail_->state() == Tail::State::kFailing;
  return {
      .source = source_, .failing = fault_.empty() ? tail_fails : !is_missing_, .reason = reason()};
}

std::string FilePartition::Missing() const {
  if (options_.may_go || gone_ || done_) return {};
  const bool tail_misses = tail_ != nullptr && tail_->state() == Tail::State::kMissing;
  return (fault_.empty() ? tail_misses : is_missing_) ? reason() : std::string();
}

void FilePartition::Fail(const FileClock& clock, const absl::Status& status) {
  fault_ = std::string(status.message());
  is_missing_ = absl::IsNotFound(status);
  at_end = false;
  retry_at_ = clock.monotonic + kRetryAfter;
}

void FilePartition::LogState(const FileClock& clock) {
  if (tail_ != nullptr) {
    for (Tail::Note& note : tail_->TakeNotes()) {
      if (note.is_loss) {
        Lose(std::move(note.text));
      } else {
        spdlog::warn("{}: {}", source_, note.text);
      }
    }
  }
  const SourceState now = state();
  reach = now.failing ? SourceBoard::Reach::kAway : SourceBoard::Reach::kReadable;
  problem = now.failing ? now.reason : std::string();
  if (now.reason == logged_) return;
  const bool soon = clock.monotonic - logged_at_ < kLogEvery && logged_at_ != 0;
  if (now.failing && soon) return;
  if (now.failing) {
    spdlog::warn("{}: cannot read, will retry: {}", source_, now.reason);
  } else if (!now.reason.empty()) {
    spdlog::info("{}: waiting: {}", source_, now.reason);
  } else {
    spdlog::info("{}: reading", source_);
  }
  logged_ = now.reason;
  logged_at_ = clock.monotonic;
}

int FilePartition::Turn(const FileClock& clock, int records_max) {
  const DurationUs step = std::min(clock.monotonic - turned_at_, kStepMax);
  turned_at_ = clock.monotonic;
  if (done_ || gone_ || !Prepare(clock)) {
    LogState(clock);
    return 0;
  }
  copied_ = false;
  int records = 0;
  LineReader::Line line;
  Tail::Result result = Tail::Result::kLine;
  while (records < records_max && (result = Next(clock, &line)) == Tail::Result::kLine) {
    Feed(clock, line);
    ++records;
  }
  if (records > 0) at_end_for_ = 0;
  if (result != Tail::Result::kLine) {
    at_end_for_ += step;
    ReachEnd(clock, result);
  }
  LogState(clock);
  return records;
}

Tail::Result FilePartition::Next(const FileClock& clock, LineReader::Line* line) {
  if (tail_ != nullptr && copies_ == nullptr) return tail_->Next(clock.monotonic, line);
  const Tail::Result result = NextOfLog(clock, line);
  if (copies_ == nullptr || result != Tail::Result::kEnd) return result;
  if (!copied_) {
    copied_ = true;
    copy_result_ = Copy(clock);
    if (const Tail::Result more = NextOfLog(clock, line); more != Tail::Result::kEnd) return more;
  }
  return copy_result_;
}

Tail::Result FilePartition::NextOfLog(const FileClock& clock, LineReader::Line* line) {
  if (reader_ == nullptr) {
    if (clock.monotonic < retry_at_) return Tail::Result::kBlocked;
    if (const absl::Status opened = OpenLog(); !opened.ok()) {
      Fail(clock, opened);
      return Tail::Result::kBlocked;
    }
  }
  const LineReader::Result result = reader_->Next(line);
  if (const std::uint64_t damaged = reader_->damaged_bytes(); damaged > damaged_bytes_) {
    Lose(std::to_string(damaged - damaged_bytes_) + " bytes before byte " +
         std::to_string(line->offset) + " of its log are damaged and passed over");
    damaged_bytes_ = damaged;
  }
  switch (result) {
    case LineReader::Result::kLine:
      log_next_ = line->next_offset;
      return Tail::Result::kLine;
    case LineReader::Result::kEnd:
      if (copies_ == nullptr) fault_.clear();
      return options_.config->file->follow ? Tail::Result::kEnd : Tail::Result::kDone;
    case LineReader::Result::kError:
      break;
  }
  Fail(clock, reader_->status());
  reader_ = nullptr;
  damaged_bytes_ = 0;
  return Tail::Result::kBlocked;
}

Tail::Result FilePartition::Copy(const FileClock& clock) {
  Tail::Result result = Tail::Result::kBlocked;
  if (pending_.empty()) {
    tail_position_ = tail_->Position(UINT64_MAX);
    LineReader::Line line;
    std::size_t bytes = 0;
    while (pending_.size() < kCopyRecords && bytes < kCopyBytes &&
           (result = tail_->Next(clock.monotonic, &line)) == Tail::Result::kLine) {
      // Already copied, before a crash that came before the commit.
      const auto mark = static_cast<std::int64_t>(line.next_offset);
      if (mark <= copied_until_) continue;
      if (line.text.size() > limits::kPayloadBytesMax) {
        Lose("a payload of more than 8 MiB is left out");
        continue;
      }
      bytes += line.text.size();
      pending_.push_back({.text = std::string(line.text), .mark = mark});
    }
  }
  // Before the first copy a position must be durable, so that after a crash the next process knows
  // what was copied.
  if (!pending_.empty() && !IsWritten()) return Tail::Result::kBlocked;
  if (const absl::Status copied = AppendCopies(clock); !copied.ok()) {
    Fail(clock, copied);
    return Tail::Result::kBlocked;
  }
  fault_.clear();
  if (result == Tail::Result::kLine) return Tail::Result::kBlocked;  // there is more
  return result;
}

absl::Status FilePartition::AppendCopies(const FileClock& clock) {
  if (pending_.empty()) return absl::OkStatus();
  std::size_t copied = 0;
  absl::Status status;
  while (copied < pending_.size() && status.ok()) {
    const Copied& one = pending_[copied];
    status = copies_->Append(clock.wall, one.text, one.mark);
    if (status.ok()) ++copied;
  }
  // If the log is full, the rest waits until the log has been read; after a disk error all of it is
  // retried.
  if (!status.ok() && !absl::IsResourceExhausted(status)) return status;
  TOCSIN_RETURN_IF_ERROR(copies_->Sync());
  pending_.erase(pending_.begin(), pending_.begin() + static_cast<std::ptrdiff_t>(copied));
  return absl::OkStatus();
}

void FilePartition::Feed(const FileClock& clock, const LineReader::Line& line) {
  if (!is_inside_) Join(clock);
  SourceRecord record = RecordOf(line);
  if (assumes_time_ && record.timestamp == kNoTime && tail_ != nullptr) {
    record.assumed_time = std::min(clock.wall, tail_->modified());
  }
  stage1->Feed(record);
  const DurationUs distance = stage1->clock() - clock.wall;
  // An HTTP input is always live, however old its last record is.
  stage1->set_live(
      options_.log != nullptr ||
      (stage1->clock() != kNoTime && distance < kLiveDistanceMax && distance > -kLiveDistanceMax));
  at_end = false;
  commit_due = true;
}

void FilePartition::Join(const FileClock& clock) {
  is_inside_ = true;
  ended = false;
  joined_at = clock.due_tick;
  // Its records of ticks that are already decided count as late.
  if (clock.due_tick != kNoTime) stage1->Join(clock.due_tick);
}

void FilePartition::Leave() {
  if (is_inside_) {
    stage1->End();
    is_inside_ = false;
    ended = commit_due = true;
  }
  at_end_for_ = 0;
}

void FilePartition::Retire() {
  gone_ = true;
  Leave();
}

void FilePartition::ReachEnd(const FileClock& clock, Tail::Result result) {
  at_end = result == Tail::Result::kEnd || result == Tail::Result::kDone;
  if (result == Tail::Result::kDone) {
    done_ = ended = true;
    Leave();
    return;
  }
  if (!at_end) {
    at_end_for_ = 0;
    return;
  }
  // `clock` was read at another time than the file.
  const TimeUs looked_at = tail_ != nullptr ? tail_->looked_at() : clock.monotonic;
  end_seen_at_ = clock.wall - (clock.monotonic - looked_at);
  const TimeUs missing = tail_ != nullptr ? tail_->missing_since() : kNoTime;
  if (options_.may_go && missing != kNoTime && clock.monotonic - missing >= kGoneAfter) {
    return Retire();
  }
  const bool holds_up = is_inside_ && !stage1->live() && clock.furthest_tick != kNoTime &&
                        stage1->last_tick() < clock.furthest_tick;
  if (!holds_up) at_end_for_ = 0;
  if (at_end_for_ >= kDormantAfter) Leave();
}

void FilePartition::CloseIdle() {
  if (!is_inside_ || !at_end || ended || !stage1->live()) return;
  const TimeUs tick = FloorTo(end_seen_at_ - kIdleGrace, options_.setup->plan.pane());
  if (tick <= stage1->last_tick()) return;
  // The file does not record that it was closed now; the position, written with the batches, does.
  stage1->CloseIdle(tick);
  commit_due = true;
}

void FilePartition::OnDurable(const SourceCommit& commit) {
  if (copies_ != nullptr) copies_->Trim(commit.offset);
  if (options_.log != nullptr) options_.log->Trim(commit.offset);
}

void FilePartition::Lose(std::string what) {
  options_.losses->push_back(source_ + ": " + std::move(what));
  spdlog::error("{}", options_.losses->back());
}

}  // namespace tocsin

// FilePartition: opening a file at its last committed position.

#include <spdlog/spdlog.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <string_view>

#include "core/status_macros.h"
#include "core/string_hash.h"
#include "ingest/formats/detect_format.h"
#include "ingest/sources/file_source.h"
#include "ingest/sources/followed_file.h"
#include "service/file_partition.h"

namespace tocsin {
namespace {

constexpr std::string_view kPositionVersion = "f2";

bool IsArchive(const std::string& path) { return path.ends_with(".gz") || path.ends_with(".zst"); }

std::string_view TakeWord(std::string_view* text) {
  const std::size_t end = std::min(text->find(' '), text->size());
  const std::string_view word = text->substr(0, end);
  text->remove_prefix(std::min(end + 1, text->size()));
  return word;
}

}  // namespace

// The position in the journal: "f2 FLAGS FORMAT TAIL OFFSET METADATA". OFFSET and METADATA are
// those of stage 1's commit; TAIL is the file's position or "-". The last release wrote "OFFSET
// METADATA".
struct FilePartition::Position {
  bool is_known = false;
  bool is_old = false;
  bool dormant = false, copied = false;
  std::string format, tail;
  SourceCommit commit;
};

absl::StatusOr<FilePartition::Position> FilePartition::ReadPosition() const {
  TOCSIN_ASSIGN_OR_RETURN(const std::optional<std::string> known,
                          options_.batches->Position(source_));
  Position position;
  if (!known || known->empty()) return position;
  std::string_view text = *known;
  position.is_known = true;
  position.is_old = !text.starts_with(kPositionVersion);
  if (!position.is_old) {
    TakeWord(&text);
    const std::string_view flags = TakeWord(&text);
    position.dormant = flags.find('d') != flags.npos;
    position.copied = flags.find('c') != flags.npos;
    position.format = std::string(TakeWord(&text));
    position.tail = std::string(TakeWord(&text));
  }
  const std::string_view offset = TakeWord(&text);
  const auto result =
      std::from_chars(offset.data(), offset.data() + offset.size(), position.commit.offset);
  position.commit.metadata = std::string(text);
  if (result.ec == std::errc() && result.ptr == offset.data() + offset.size()) return position;
  spdlog::error("{}: malformed position in the journal, reading from the beginning", source_);
  return Position();
}

std::string FilePartition::PositionOf(const SourceCommit& commit) {
  std::string flags = "-";
  if (!is_inside_ && ended) flags += 'd';
  if (copies_ != nullptr) flags += 'c';
  std::string tail = "-";
  if (copies_ != nullptr) {
    if (pending_.empty()) tail_position_ = tail_->Position(UINT64_MAX);
    tail = tail_position_;
  } else if (tail_ != nullptr) {
    tail = tail_->Position(static_cast<std::uint64_t>(commit.offset));
  }
  is_sent_ = true;
  return std::string(kPositionVersion) + ' ' + flags + ' ' + config_.format + ' ' + tail + ' ' +
         std::to_string(commit.offset) + ' ' + commit.metadata;
}

bool FilePartition::IsWritten() {
  if (is_written_) return true;
  if (!is_sent_) {
    BatchLog::Entry entry;
    entry.positions.push_back({source_, PositionOf(stage1->Commit())});
    options_.batches->Append(std::move(entry));
  }
  return is_written_ = options_.batches->PositionIsDurable(source_);
}

bool FilePartition::Prepare(const FileClock& clock, bool at_start) {
  if (stage1 != nullptr) return true;
  if (clock.monotonic < retry_at_) return false;
  const auto prepare = [&]() -> absl::Status {
    TOCSIN_ASSIGN_OR_RETURN(const Position position, ReadPosition());
    return Open(position);
  };
  if (const absl::Status prepared = prepare(); !prepared.ok()) {
    stage1 = nullptr;
    is_inside_ = false;
    Fail(clock, prepared);
    return false;
  }
  fault_.clear();
  // The other sources did not wait for it meanwhile, so it joins with its next record.
  if (!at_start && options_.log == nullptr) is_inside_ = false;
  return true;
}

absl::Status FilePartition::NewStage1() {
  TOCSIN_ASSIGN_OR_RETURN(stage1,
                          options_.setup->NewPartition(config_, source_, options_.dead_letters));
  return absl::OkStatus();
}

absl::Status FilePartition::Open(const Position& position) {
  config_.format = options_.config->format;
  // A file that was just rotated may be empty, so its format cannot be detected again.
  if (config_.format == kAutoFormat && !position.format.empty()) config_.format = position.format;
  const bool is_log = options_.log != nullptr || IsRecordLog(files_.path);
  const bool is_stdin = files_.path == "-";
  if (!is_log) TOCSIN_RETURN_IF_ERROR(ResolveFormat(files_.path, &config_));
  Framing framing = FramingOf(config_.format);
  if (!is_log) {
    TOCSIN_ASSIGN_OR_RETURN(framing, FramingIn(files_.path, framing));
  }
  TOCSIN_RETURN_IF_ERROR(NewStage1());
  is_inside_ = options_.log != nullptr || (position.is_known && !position.dormant);
  ended = at_end = false;
  if (is_stdin) {
    is_inside_ = false;
    tail_ = NewStdinTail(framing);
    return absl::OkStatus();
  }
  if (!is_log) return OpenFile(position, framing);
  log_ = options_.log;
  if (log_ != nullptr && log_->recovered_end() < 0) return log_->status();
  if (position.is_known) {
    log_next_ = static_cast<std::uint64_t>(position.commit.offset);
    TOCSIN_RETURN_IF_ERROR(stage1->Restore(position.commit));
  }
  if (options_.log != nullptr) stage1->set_live(true);
  CheckLogEnd();
  return OpenLog();
}

absl::Status FilePartition::OpenFile(const Position& position, Framing framing) {
  const OwnTime own_time = OwnTimeOf(config_);
  const bool follows = options_.config->file->follow && !IsArchive(files_.path);
  const bool copies = follows && own_time == OwnTime::kMissing;
  assumes_time_ = own_time != OwnTime::kComplete;
  // A payload has no framing: it ends where the file ends.
  TailOptions options = {.path = files_.path,
                         .older = files_.older,
                         .framing = framing,
                         .grows = follows && framing != Framing::kPayload};
  std::unique_ptr<FollowedFile> followed;
  if (copies && framing == Framing::kPayload) {
    tail_ = NewSnapshotFile(std::move(options));
  } else {
    followed = std::make_unique<FollowedFile>(std::move(options));
  }
  FollowedFile* const file = followed.get();
  if (followed != nullptr) tail_ = std::move(followed);
  // Stage 1's offsets are those of the file or those of the copies, which cannot be mixed.
  bool keeps_stage1 = position.is_known && position.copied == copies;
  is_sent_ = keeps_stage1;
  is_written_ = false;
  absl::Status restored;
  if (keeps_stage1) restored = stage1->Restore(position.commit);
  if (restored.ok() && position.is_old && file != nullptr) {
    SourceCommit commit = position.commit;
    if (copies) commit.offset = 0;
    const auto next = static_cast<std::uint64_t>(stage1->next_offset());
    file->RestoreBytes(static_cast<std::uint64_t>(commit.offset), next);
  } else if (restored.ok() && position.is_known && !position.is_old) {
    restored = tail_->Restore(position.tail);
  }
  if (!restored.ok()) {
    spdlog::error("{}: its position in the journal cannot be used, reading from the beginning: {}",
                  source_, FromAbsl(restored.message()));
    keeps_stage1 = false;
    return OpenFile(Position(), framing);
  }
  if (!keeps_stage1) {
    is_inside_ = false;
    TOCSIN_RETURN_IF_ERROR(NewStage1());
  }
  if (!copies) return absl::OkStatus();
  if (copies_ == nullptr) {
    if (*options_.copied_files >= kCopiedFilesMax) {
      return absl::ResourceExhaustedError(
          "format " + config_.format + " has no timestamps, and at most " +
          std::to_string(kCopiedFilesMax) + " such files of an input are followed");
    }
    ++*options_.copied_files;
  }
  const std::string folder = CopiesFolder(*options_.setup->config, options_.config->name);
  copies_ = RecordLog::Open({.directory = folder + '/' + files_.name,
                             .segment_bytes = kCopySegmentBytes,
                             .bytes_max = kCopyBytesMax,
                             .times = RecordTimes::kRead,
                             .report = [source = source_](const std::string& message) {
                               spdlog::error("{}: {}", source, message);
                             }});
  log_ = copies_.get();
  if (log_->recovered_end() < 0) return log_->status();
  if (keeps_stage1) {
    log_next_ = static_cast<std::uint64_t>(position.commit.offset);
    copied_until_ = copies_->last_mark();
  }
  CheckLogEnd();
  return OpenLog();
}

void FilePartition::CheckLogEnd() {
  if (log_ == nullptr || stage1->next_offset() <= log_->recovered_end()) return;
  Lose("its log ends at byte " + std::to_string(log_->recovered_end()) +
       " and was read up to byte " + std::to_string(stage1->next_offset()) +
       ": what is missing is lost");
  log_next_ = static_cast<std::uint64_t>(log_->recovered_end());
  stage1->StartOver(log_->recovered_end());
}

absl::Status FilePartition::OpenLog() {
  TOCSIN_ASSIGN_OR_RETURN(
      reader_, OpenLineReader(
                   files_.path,
                   {.framing = FramingOf(config_.format), .start_offset = log_next_, .log = log_}));
  return absl::OkStatus();
}

}  // namespace tocsin

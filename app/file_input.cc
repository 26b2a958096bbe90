#include "app/file_input.h"

#include <absl/time/clock.h>

#include "core/status_macros.h"
#include "ingest/decoder.h"
#include "ingest/detect_format.h"

namespace tocsin {
namespace {

// Lines read from one file before the others have their turn and batches are sent.
constexpr int kLinesPerTurn = 4'096;

bool Grows(const std::string& path) {
  return path != "-" && !path.ends_with(".gz") && !path.ends_with(".zst");
}

}  // namespace

FileFollower::FileFollower(const InputConfig* config, const EngineSetup* setup, BatchLog* batches,
                           DeadLetterObserver* dead_letters, RecordLog* log,
                           const TimeSource* time)
    : config_(config),
      setup_(setup),
      batches_(batches),
      dead_letters_(dead_letters),
      log_(log),
      time_(time) {}

absl::Status FileFollower::Start() {
  TOCSIN_ASSIGN_OR_RETURN(const std::vector<FileInput> inputs, ListFiles(config_->file->path));
  if (inputs.empty()) {
    return absl::NotFoundError("input " + config_->name + ": " + config_->file->path +
                               " holds no files");
  }
  for (const FileInput& input : inputs) TOCSIN_RETURN_IF_ERROR(Open(input));
  return absl::OkStatus();
}

absl::Status FileFollower::Open(const FileInput& input) {
  auto file = std::make_unique<File>();
  file->live = log_ != nullptr;
  file->reach = SourceBoard::Reach::kReadable;
  InputConfig config = *config_;
  TOCSIN_RETURN_IF_ERROR(ResolveFormat(input.path, &config));
  // A payload is whole as it stands: nothing but its end says where it ends. A record log says.
  file->follow = config_->file->follow && Grows(input.path) &&
                 (log_ != nullptr || FramingOf(config.format) != Framing::kPayload);
  TOCSIN_ASSIGN_OR_RETURN(
      file->stage1, setup_->NewPartition(config, config.name + '/' + input.name, dead_letters_));
  SourceCommit from;
  TOCSIN_ASSIGN_OR_RETURN(const std::optional<std::string> position,
                          batches_->Position(file->stage1->source()));
  if (position && Grows(input.path)) {
    const std::size_t space = position->find(' ');
    from.offset = std::stoll(position->substr(0, space));
    from.metadata = position->substr(space + 1);
    TOCSIN_RETURN_IF_ERROR(file->stage1->Restore(from));
  }
  TOCSIN_ASSIGN_OR_RETURN(
      file->reader,
      LineReader::Open(input.path, {.framing = FramingOf(config.format),
                                    .start_offset = static_cast<std::uint64_t>(from.offset),
                                    .complete_at_end = !file->follow,
                                    .durable_end = log_ ? log_->durable_end() : nullptr}));
  files_.push_back(std::move(file));
  return absl::OkStatus();
}

absl::Status FileFollower::Poll(absl::Duration wait) {
  bool progressed = false;
  for (const std::unique_ptr<File>& file : files_) {
    if (file->ended || file->paused) continue;
    TOCSIN_RETURN_IF_ERROR(Read(file.get(), &progressed));
  }
  if (!progressed) absl::SleepFor(wait);
  return absl::OkStatus();
}

absl::Status FileFollower::Read(File* file, bool* progressed) {
  LineReader::Line line;
  const TimeUs now = time_->Wall();
  for (int i = 0; i < kLinesPerTurn; ++i) {
    switch (file->reader->Next(&line)) {
      case LineReader::Result::kLine: {
        CountReceived(1);
        file->stage1->Feed({.offset = static_cast<std::int64_t>(line.offset),
                            .next_offset = static_cast<std::int64_t>(line.next_offset),
                            .timestamp = line.time,
                            .append_time = line.time != kNoTime,
                            .bytes = line.text});
        const DurationUs distance = file->stage1->clock() - now;
        // What is appended here and now is live, however long ago the last of it was.
        file->live =
            log_ != nullptr || (file->stage1->clock() != kNoTime && distance < kLiveDistanceMax &&
                                distance > -kLiveDistanceMax);
        file->at_end = false;
        file->commit_due = true;
        *progressed = true;
        break;
      }
      case LineReader::Result::kEnd:
        file->at_end = true;
        file->end_seen_at = now;
        if (!file->follow) {
          file->stage1->End();
          file->ended = true;
          file->commit_due = true;
        }
        return absl::OkStatus();
      case LineReader::Result::kError:
        return file->reader->status();
    }
  }
  return absl::OkStatus();
}

std::vector<InputPartition*> FileFollower::Partitions() {
  std::vector<InputPartition*> all;
  for (const std::unique_ptr<File>& file : files_) all.push_back(file.get());
  return all;
}

absl::Status FileFollower::CloseIdle(std::uint64_t) {
  for (const std::unique_ptr<File>& file : files_) {
    if (!file->at_end || file->ended || !file->live) continue;
    // Of the look that found the end, and not of now: what was written while we were stopped in
    // between has not been read.
    const TimeUs tick = FloorTo(file->end_seen_at - kIdleGrace, setup_->plan.pane());
    if (tick <= file->stage1->last_tick()) continue;
    // Nothing in the file says that we closed now. The position that does is written together with
    // the batches.
    file->stage1->CloseIdle(tick);
    file->commit_due = true;
  }
  return absl::OkStatus();
}

std::optional<std::string> FileFollower::Position(const SourceCommit& commit) const {
  return std::to_string(commit.offset) + ' ' + commit.metadata;
}

void FileFollower::OnDurable(std::span<const InputCommit> commits) {
  if (log_ == nullptr) return;
  for (const InputCommit& one : commits) log_->Trim(one.commit.offset);
}

}  // namespace tocsin

// A file that holds one payload and is replaced by the next one, such as a page of metrics that is
// rewritten every few seconds. Each version is one record, whether it is renamed or written in
// place.

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <optional>
#include <utility>

#include "ingest/sources/file_source.h"
#include "ingest/sources/log_generation.h"
#include "ingest/sources/tail.h"

namespace tocsin {
namespace {

class SnapshotFile final : public Tail {
 public:
  explicit SnapshotFile(TailOptions options) : options_(std::move(options)) {}

  Result Next(TimeUs now, LineReader::Line* line) override {
    looked_at_ = now;
    FileFacts facts;
    if (!FileFacts::At(options_.path, &facts)) {
      const bool is_missing = errno == ENOENT || errno == ENOTDIR;
      if (is_missing && missing_since_ == kNoTime) missing_since_ = now;
      return SetState(is_missing ? State::kMissing : State::kFailing, std::strerror(errno));
    }
    missing_since_ = kNoTime;
    if (!facts.is_file()) {
      return SetState(State::kFailing, std::string("is ") + FileKind(facts) + ": expected a file");
    }
    const Version version = VersionOf(facts);
    if (version == read_) return SetState(State::kReading, "");
    if (version != seen_) {
      seen_ = version;
      seen_at_ = now;
    }
    // It may still be written: try again later.
    if (now - seen_at_ < kSettledFor) return Result::kBlocked;
    return Read(now, version, line);
  }

  TimeUs looked_at() const override { return looked_at_; }
  State state() const override { return state_; }
  const std::string& reason() const override { return reason_; }
  TimeUs missing_since() const override { return missing_since_; }
  TimeUs modified() const override { return read_ ? read_->modified / 1'000 : kNoTime; }
  bool Owns(const std::string&) const override { return false; }
  std::vector<Note> TakeNotes() override { return {}; }

  // "inode,modified,size,offset"
  std::string Position(std::uint64_t) override {
    const Version version = read_.value_or(Version());
    return std::to_string(version.inode) + ',' + std::to_string(version.modified) + ',' +
           std::to_string(version.size) + ',' + std::to_string(offset_);
  }
  absl::Status Restore(std::string_view position) override {
    Version version;
    std::string_view text = position;
    for (std::int64_t* const number :
         {&version.inode, &version.modified, &version.size, &offset_}) {
      const auto result = std::from_chars(text.data(), text.data() + text.size(), *number);
      text.remove_prefix(static_cast<std::size_t>(result.ptr - text.data()));
      if (result.ec != std::errc() || (!text.empty() && text[0] != ',')) {
        return absl::InvalidArgumentError(options_.path +
                                          ": malformed position: " + std::string(position));
      }
      text.remove_prefix(std::min<std::size_t>(text.size(), 1));
    }
    read_ = version;
    return absl::OkStatus();
  }

 private:
  struct Version {
    std::int64_t inode = 0, modified = 0, size = 0;
    bool operator==(const Version&) const = default;
  };

  static Version VersionOf(const FileFacts& facts) {
    return {.inode = static_cast<std::int64_t>(facts.inode),
            .modified = facts.modified,
            .size = static_cast<std::int64_t>(facts.size)};
  }

  Result SetState(State state, const std::string& reason) {
    state_ = state;
    reason_ = reason.empty() ? reason : options_.path + ": " + reason;
    return state == State::kFailing ? Result::kBlocked : Result::kEnd;
  }

  Result Read(TimeUs now, const Version& version, LineReader::Line* line) {
    if (now < retry_at_) return Result::kBlocked;
    auto reader = OpenLineReader(options_.path, {.framing = Framing::kPayload});
    const auto fail = [&](const absl::Status& status) {
      retry_at_ = now + kRetryAfter;
      state_ = State::kFailing;
      reason_ = std::string(status.message());
      return Result::kBlocked;
    };
    if (!reader.ok()) return fail(reader.status());
    reader_ = *std::move(reader);
    const LineReader::Result result = reader_->Next(line);
    if (result == LineReader::Result::kError) return fail(reader_->status());
    FileFacts facts;
    // Replaced while it was read: start over with the next version.
    if (!FileFacts::At(options_.path, &facts) || VersionOf(facts) != version) {
      return Result::kBlocked;
    }
    read_ = version;
    SetState(State::kReading, "");
    if (result == LineReader::Result::kEnd) return Result::kEnd;
    line->offset = static_cast<std::uint64_t>(offset_);
    offset_ += std::max<std::int64_t>(version.size, 1);
    line->next_offset = static_cast<std::uint64_t>(offset_);
    return Result::kLine;
  }

  static constexpr DurationUs kRetryAfter = kSecondUs;

  const TailOptions options_;
  std::optional<Version> read_, seen_;
  TimeUs seen_at_ = 0, looked_at_ = 0, retry_at_ = 0;
  TimeUs missing_since_ = kNoTime;
  std::int64_t offset_ = 0;
  std::unique_ptr<LineReader> reader_;
  State state_ = State::kMissing;
  std::string reason_;
};

}  // namespace

std::unique_ptr<Tail> NewSnapshotFile(TailOptions options) {
  return std::make_unique<SnapshotFile>(std::move(options));
}

}  // namespace tocsin

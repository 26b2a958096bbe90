#include "replay/file_replay_source.h"

#include <utility>

#include "absl/memory/memory.h"
#include "absl/strings/str_cat.h"
#include "core/status_macros.h"
#include "ingest/decoder.h"
#include "ingest/formats/detect_format.h"

namespace tocsin {
namespace {

// Records read from one source before the next one is looked at again.
constexpr int kRecordsPerTurn = 1'024;

}  // namespace

// Counts what cannot be read for want of a time.
class FileReplaySource::UntimedRecords : public DeadLetterObserver {
 public:
  explicit UntimedRecords(InputConfig input) : input_(std::move(input)) {}

  void OnDeadLetter(const std::string&, std::int64_t, std::string_view reason,
                    std::string_view) override {
    if (WantsRecordTime(input_, reason)) ++count_;
  }
  std::int64_t count() const { return count_; }

 private:
  const InputConfig input_;
  std::int64_t count_ = 0;
};

FileReplaySource::FileReplaySource() = default;
FileReplaySource::~FileReplaySource() = default;

absl::StatusOr<std::unique_ptr<FileReplaySource>> FileReplaySource::Open(const LogFiles& log,
                                                                         InputConfig input,
                                                                         const EngineSetup& setup) {
  TOCSIN_RETURN_IF_ERROR(ResolveFormat(log.path, &input));
  std::unique_ptr<FileReplaySource> source = absl::WrapUnique(new FileReplaySource);
  source->path_ = log.path;
  TOCSIN_ASSIGN_OR_RETURN(source->reader_, OpenLogFiles(log, {.framing = FramingOf(input.format)}));
  source->untimed_ = std::make_unique<UntimedRecords>(input);
  TOCSIN_ASSIGN_OR_RETURN(source->partition_, setup.NewPartition(input, input.name + '/' + log.name,
                                                                 source->untimed_.get()));
  return source;
}

absl::Status FileReplaySource::Read() {
  LineReader::Line line;
  for (int i = 0; i < kRecordsPerTurn; ++i) {
    switch (reader_->Next(&line)) {
      case LineReader::Result::kLine:
        partition_->Feed(RecordOf(line));
        break;
      case LineReader::Result::kEnd:
        partition_->End();
        ended_ = true;
        return absl::OkStatus();
      case LineReader::Result::kError:
        return reader_->status();
    }
  }
  return absl::OkStatus();
}

double FileReplaySource::share_done() const {
  const std::uint64_t total = reader_->bytes_total();
  if (total == 0) return -1;
  return static_cast<double>(reader_->bytes_read()) / static_cast<double>(total);
}

std::string FileReplaySource::UntimedText() const {
  if (untimed_->count() == 0) return "";
  return absl::StrCat(path_, ": ", untimed_->count(),
                      untimed_->count() == 1 ? " record has" : " records have",
                      " no time, or one without a year: say when it was written, as in --time "
                      "2026-03-10T21:00:00Z");
}

}  // namespace tocsin

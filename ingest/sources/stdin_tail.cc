// Reads stdin as data arrives, without blocking.

#include <poll.h>
#include <unistd.h>

#include <utility>

#include "ingest/sources/file_source.h"
#include "ingest/sources/tail.h"
#include "ingest/sources/text_stream.h"

namespace tocsin {
namespace {

class StdinTail final : public Tail {
 public:
  explicit StdinTail(Framing framing) : framing_(framing) {}

  Result Next(TimeUs now, LineReader::Line* line) override {
    looked_at_ = now;
    if (reader_ == nullptr && !Open()) return done_ ? Result::kDone : Result::kBlocked;
    switch (reader_->Next(line)) {
      case LineReader::Result::kLine:
        return Result::kLine;
      case LineReader::Result::kEnd:
        if (stream_->waits()) return Result::kBlocked;
        // The last record may be incomplete.
        if (std::exchange(completing_, true)) return Result::kDone;
        reader_->CompleteAtEnd();
        return Next(now, line);
      case LineReader::Result::kError:
        break;
    }
    reason_ = std::string(reader_->status().message());
    return Result::kDone;
  }

  TimeUs looked_at() const override { return looked_at_; }
  std::string Position(std::uint64_t) override { return "-"; }
  absl::Status Restore(std::string_view) override { return absl::OkStatus(); }
  State state() const override { return reason_.empty() ? State::kReading : State::kFailing; }
  const std::string& reason() const override { return reason_; }
  TimeUs missing_since() const override { return kNoTime; }
  TimeUs modified() const override { return kNoTime; }
  bool Owns(const std::string&) const override { return false; }
  std::vector<Note> TakeNotes() override { return {}; }

 private:
  // Opens stdin once it has data: the first bytes tell whether it is compressed.
  bool Open() {
    pollfd ready = {.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
    if (poll(&ready, 1, 0) <= 0) return false;
    absl::StatusOr<std::unique_ptr<TextStream>> stream = TextStream::Open("-");
    if (!stream.ok()) {
      reason_ = std::string(stream.status().message());
      done_ = true;
      return false;
    }
    stream_ = stream->get();
    stream_->DoNotWait();
    reader_ = LineReaderOver(*std::move(stream), {.framing = framing_, .complete_at_end = false});
    return true;
  }

  const Framing framing_;
  std::unique_ptr<LineReader> reader_;
  TextStream* stream_ = nullptr;  // owned by reader_
  bool completing_ = false, done_ = false;
  TimeUs looked_at_ = 0;
  std::string reason_;
};

}  // namespace

std::unique_ptr<Tail> NewStdinTail(Framing framing) { return std::make_unique<StdinTail>(framing); }

}  // namespace tocsin

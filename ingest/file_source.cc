#include "ingest/file_source.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <system_error>
#include <utility>

#include "core/limits.h"
#include "core/status_macros.h"
#include "ingest/json_framer.h"
#include "ingest/record_log.h"
#include "ingest/text_buffer.h"
#include "ingest/text_stream.h"

namespace tocsin {
namespace {

namespace fs = std::filesystem;

class TextLineReader final : public LineReader {
 public:
  TextLineReader(std::unique_ptr<TextStream> stream, const Options& options)
      : buffer_(std::move(stream), options.start_offset),
        complete_at_end_(options.complete_at_end) {}

  Result Next(Line* line) override {
    while (true) {
      const std::string_view text = buffer_.text();
      const std::size_t line_feed = text.find('\n', scanned_);
      if (line_feed != text.npos) return Deliver(line_feed, line_feed + 1, line);
      // One byte more than the largest line, for its carriage return.
      if (text.size() > limits::kEventBytesMax + 1) buffer_.Drop(limits::kEventBytesMax + 1);
      scanned_ = buffer_.text().size();
      if (buffer_.Fill() > 0) continue;
      if (!status().ok()) return Result::kError;
      if (!complete_at_end_ || scanned_ == 0) return Result::kEnd;
      return Deliver(scanned_, scanned_, line);
    }
  }

  void CompleteAtEnd() override { complete_at_end_ = true; }
  absl::Status status() const override { return buffer_.stream().status(); }
  std::uint64_t bytes_read() const override { return buffer_.stream().bytes_read(); }
  std::uint64_t bytes_total() const override { return buffer_.stream().bytes_total(); }

 private:
  Result Deliver(std::size_t size, std::size_t size_with_end, Line* line) {
    std::string_view text = buffer_.text().substr(0, size);
    if (buffer_.dropped() == 0 && text.ends_with('\r')) text.remove_suffix(1);
    line->oversized = buffer_.dropped() > 0 || text.size() > limits::kEventBytesMax;
    line->text = text.substr(0, limits::kEventBytesMax + 1);
    line->offset = buffer_.offset();
    buffer_.Take(size_with_end);
    line->next_offset = buffer_.offset();
    scanned_ = 0;
    return Result::kLine;
  }

  TextBuffer buffer_;
  bool complete_at_end_;
  std::size_t scanned_ = 0;  // bytes of the window without a line feed
};

class PayloadFileReader final : public LineReader {
 public:
  PayloadFileReader(std::unique_ptr<TextStream> stream, const Options& options)
      : stream_(std::move(stream)), offset_(options.start_offset) {}

  Result Next(Line* line) override {
    constexpr std::size_t kStep = 64 << 10;
    text_.clear();
    std::uint64_t size = 0;
    for (std::size_t count = kStep; count > 0; size += count) {
      // What is beyond the limit is read, so as to be passed over, and not kept.
      const std::size_t kept = std::min(text_.size(), limits::kPayloadBytesMax + 1);
      text_.resize(kept + kStep);
      count = stream_->Read(text_.data() + kept, kStep);
      text_.resize(kept + count);
    }
    if (!status().ok()) return Result::kError;
    if (text_.empty()) return Result::kEnd;
    line->oversized = size > limits::kPayloadBytesMax;
    line->text = std::string_view(text_).substr(0, limits::kPayloadBytesMax + 1);
    line->offset = offset_;
    offset_ += size;
    line->next_offset = offset_;
    return Result::kLine;
  }

  absl::Status status() const override { return stream_->status(); }
  std::uint64_t bytes_read() const override { return stream_->bytes_read(); }
  std::uint64_t bytes_total() const override { return stream_->bytes_total(); }

 private:
  std::unique_ptr<TextStream> stream_;
  std::string text_;
  std::uint64_t offset_;
};

}  // namespace

// A length is a varint, which is a bracket only by chance: what a request begins with, its tag and
// its own length, stands behind it then.
bool BeginsAsJson(std::string_view bytes) {
  const std::size_t begin = bytes.find_first_not_of(" \t\r\n");
  if (begin == bytes.npos) return true;
  if (bytes[begin] != '{' && bytes[begin] != '[') return false;
  constexpr int kTagAndLength = 2;
  return bytes.size() < 3 || bytes[1] != '\n' || bytes[2] != bytes[0] - kTagAndLength;
}

absl::StatusOr<std::unique_ptr<LineReader>> LineReader::Open(const std::string& path) {
  return Open(path, Options());
}

absl::StatusOr<std::unique_ptr<LineReader>> LineReader::Open(const std::string& path,
                                                             const Options& options) {
  if (options.log != nullptr || IsRecordLog(path)) return OpenRecordLog(path, options);
  TOCSIN_ASSIGN_OR_RETURN(std::unique_ptr<TextStream> stream, TextStream::Open(path));
  Options with_framing = options;
  TOCSIN_ASSIGN_OR_RETURN(with_framing.framing, FramingIn(path, options.framing));
  TOCSIN_RETURN_IF_ERROR(stream->SkipTo(options.start_offset));
  return Over(std::move(stream), with_framing);
}

absl::StatusOr<Framing> FramingIn(const std::string& path, Framing framing) {
  if (framing != Framing::kJsonOrPayload) return framing;
  if (path == "-") return Framing::kJsonValues;
  TOCSIN_ASSIGN_OR_RETURN(const std::unique_ptr<TextStream> stream, TextStream::Open(path));
  std::array<char, 64> bytes;
  const std::size_t count = stream->Read(bytes.data(), bytes.size());
  return BeginsAsJson({bytes.data(), count}) ? Framing::kJsonValues : Framing::kPayload;
}

std::unique_ptr<LineReader> LineReader::Over(std::unique_ptr<TextStream> stream,
                                             const Options& options) {
  if (options.framing == Framing::kJsonValues) {
    return NewJsonValueReader(std::move(stream), options);
  }
  if (options.framing == Framing::kPayload) {
    return std::make_unique<PayloadFileReader>(std::move(stream), options);
  }
  return std::make_unique<TextLineReader>(std::move(stream), options);
}

}  // namespace tocsin

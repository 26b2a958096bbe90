#include "ingest/sources/file_source.h"

#include <algorithm>
#include <array>
#include <utility>

#include "core/limits.h"
#include "core/status_macros.h"
#include "ingest/sources/json_framer.h"
#include "ingest/sources/record_log.h"
#include "ingest/sources/text_buffer.h"
#include "ingest/sources/text_stream.h"

namespace tocsin {
namespace {

class TextLineReader final : public LineReader {
 public:
  TextLineReader(std::unique_ptr<TextStream> stream, const Options& options)
      : buffer_(std::move(stream), options.start_offset),
        complete_at_end_(options.complete_at_end) {}

  Result Next(Line* line) override {
    while (true) {
      const std::size_t line_feed = buffer_.LineFeed(0);
      if (line_feed != std::string_view::npos) return Deliver(line_feed, line_feed + 1, line);
      // One byte more than the largest line, for a carriage return.
      constexpr std::size_t kKeptMax = limits::kEventBytesMax + 1;
      if (buffer_.text().size() > kKeptMax) buffer_.Drop(kKeptMax);
      if (buffer_.Fill() > 0) continue;
      if (!status().ok()) return Result::kError;
      const std::size_t size = buffer_.text().size();
      if (!complete_at_end_ || size == 0) return Result::kEnd;
      return Deliver(size, size, line);
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
    return Result::kLine;
  }

  TextBuffer buffer_;
  bool complete_at_end_;
};

class PayloadFileReader final : public LineReader {
 public:
  PayloadFileReader(std::unique_ptr<TextStream> stream, const Options& options)
      : stream_(std::move(stream)), offset_(options.start_offset) {}

  Result Next(Line* line) override {
    constexpr std::size_t kRoom = 64 << 10;
    constexpr std::size_t kKeptMax = limits::kPayloadBytesMax + 1;
    std::uint64_t size = 0;
    std::size_t kept = 0;
    for (std::size_t count = kRoom; count > 0; size += count) {
      // Grow only when the buffer is full: a stream may return a few bytes at a time.
      if (kept == buffer_.size())
        buffer_.resize(std::min(std::max(2 * kept, kRoom), kKeptMax + kRoom));
      count = stream_->Read(buffer_.data() + kept, buffer_.size() - kept);
      // Bytes beyond the limit are read in order to skip them, but not kept.
      kept = std::min(kept + count, kKeptMax);
    }
    if (!status().ok()) return Result::kError;
    if (kept == 0) return Result::kEnd;
    line->oversized = size > limits::kPayloadBytesMax;
    line->text = {buffer_.data(), kept};
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
  std::vector<char> buffer_;
  std::uint64_t offset_;
};

}  // namespace

// The first byte of a length prefix (a varint) may happen to be a bracket. Then the request's first
// tag and length follow, which reveal it.
bool BeginsAsJson(std::string_view bytes) {
  const std::size_t begin = bytes.find_first_not_of(" \t\r\n");
  if (begin == bytes.npos) return true;
  if (bytes[begin] != '{' && bytes[begin] != '[') return false;
  constexpr int kTagAndLength = 2;
  return bytes.size() < 3 || bytes[1] != '\n' || bytes[2] != bytes[0] - kTagAndLength;
}

absl::StatusOr<std::unique_ptr<LineReader>> OpenLineReader(const std::string& path,
                                                           const LineReader::Options& options) {
  if (options.log != nullptr || IsRecordLog(path)) return OpenRecordLog(path, options);
  TOCSIN_ASSIGN_OR_RETURN(std::unique_ptr<TextStream> stream, TextStream::Open(path));
  LineReader::Options with_framing = options;
  TOCSIN_ASSIGN_OR_RETURN(with_framing.framing, FramingIn(path, options.framing));
  TOCSIN_RETURN_IF_ERROR(stream->SkipTo(options.start_offset));
  return LineReaderOver(std::move(stream), with_framing);
}

absl::StatusOr<Framing> FramingIn(const std::string& path, Framing framing) {
  if (framing != Framing::kJsonOrPayload) return framing;
  if (path == "-") return Framing::kJsonValues;
  TOCSIN_ASSIGN_OR_RETURN(const std::unique_ptr<TextStream> stream, TextStream::Open(path));
  std::array<char, 64> bytes;
  const std::size_t count = stream->Read(bytes.data(), bytes.size());
  return BeginsAsJson({bytes.data(), count}) ? Framing::kJsonValues : Framing::kPayload;
}

std::unique_ptr<LineReader> LineReaderOver(std::unique_ptr<TextStream> stream,
                                           const LineReader::Options& options) {
  if (options.framing == Framing::kJsonValues) {
    return NewJsonValueReader(std::move(stream), options);
  }
  if (options.framing == Framing::kPayload) {
    return std::make_unique<PayloadFileReader>(std::move(stream), options);
  }
  return std::make_unique<TextLineReader>(std::move(stream), options);
}

}  // namespace tocsin

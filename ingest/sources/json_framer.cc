#include "ingest/sources/json_framer.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

#include "core/limits.h"
#include "ingest/json/json_scanner.h"
#include "ingest/sources/text_buffer.h"

namespace tocsin {
namespace {

constexpr std::string_view kSpace = " \t\r\n";
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
// Emitted for the missing end of an array whose elements were records: the decoder counts it as the
// rest of a malformed array.
constexpr std::string_view kUnclosedArray = "[";

// False if a closing brace in the text is followed by something that cannot follow it within a
// value, such as another value.
bool MayBeOneValue(std::string_view text) {
  for (std::size_t at = text.find('}'); at != text.npos; at = text.find('}', at + 1)) {
    const std::size_t next = text.find_first_not_of(kSpace, at + 1);
    if (next != text.npos && text[next] != ',' && text[next] != '}' && text[next] != ']') {
      return false;
    }
  }
  return true;
}

class JsonValueReader final : public LineReader {
 public:
  JsonValueReader(std::unique_ptr<TextStream> stream, const Options& options)
      : buffer_(std::move(stream), options.start_offset),
        complete_at_end_(options.complete_at_end),
        resumed_(options.start_offset > 0) {}

  Result Next(Line* line) override;
  void CompleteAtEnd() override { complete_at_end_ = true; }
  absl::Status status() const override { return buffer_.stream().status(); }
  std::uint64_t bytes_read() const override { return buffer_.stream().bytes_read(); }
  std::uint64_t bytes_total() const override { return buffer_.stream().bytes_total(); }

 private:
  // Moves to the first byte of a value; false if there is none in the window.
  bool SkipToValue();
  // The size of the value that the window begins with; 0 if more bytes are needed.
  std::size_t Find();
  std::size_t FindFlat();  // by looking at the line only; 0: undecided
  std::size_t FindBalanced();
  std::size_t FindLineEnd();
  std::size_t CutBroken(std::size_t at);
  // Whether the value is an array whose elements become the records if it exceeds the limit.
  bool MayOpen() const;
  void OpenArray();
  Result AtEnd(Line* line);
  Result Deliver(std::size_t size, Line* line);

  TextBuffer buffer_;
  bool complete_at_end_;
  bool resumed_;           // started at an offset, possibly inside an array
  bool in_array_ = false;  // inside an array whose elements are the records
  // The end of the first scan of the last such array; its elements are then scanned again. No other
  // array is opened before this offset, so that no byte is scanned more than twice.
  std::uint64_t opened_to_ = 0;
  // The result of FindFlat for the line that ends at this line feed, and the end of a flat value.
  std::optional<std::uint64_t> judged_;
  bool is_flat_ = false;
  std::uint64_t flat_end_ = 0;
  // State of the value that the window begins with:
  JsonScanner scanner_{JsonScanner::Layout::kStrict};
  std::size_t scanned_ = 0;     // bytes of the window that were scanned
  std::size_t line_begin_ = 0;  // after the last line feed among them
  bool is_line_ = false;        // malformed: the record ends with its line
};

LineReader::Result JsonValueReader::Next(Line* line) {
  while (true) {
    if (SkipToValue()) {
      if (const std::size_t size = Find(); size > 0) return Deliver(size, line);
      if (scanned_ >= limits::kEventBytesMax && MayOpen()) {
        OpenArray();
        continue;
      }
    }
    // Of a value longer than the limit the first part is kept; the rest is only scanned.
    if (buffer_.text().size() > limits::kEventBytesMax) {
      buffer_.Drop(limits::kEventBytesMax);
      scanned_ = buffer_.text().size();
    }
    if (buffer_.Fill() == 0) return AtEnd(line);
  }
}

bool JsonValueReader::SkipToValue() {
  if (scanned_ > 0) return true;
  if (buffer_.offset() == 0 && buffer_.text().starts_with(kByteOrderMark)) {
    buffer_.Take(kByteOrderMark.size());
  }
  while (true) {
    const std::string_view text = buffer_.text();
    const std::size_t space = std::min(text.find_first_not_of(kSpace), text.size());
    // No value begins with a comma or a closing bracket: we started inside a long array.
    if (resumed_ && space < text.size() && (text[space] == ',' || text[space] == ']')) {
      resumed_ = false;
      in_array_ = true;
    }
    const bool is_punctuation =
        in_array_ && space < text.size() && (text[space] == ',' || text[space] == ']');
    if (!is_punctuation) {
      buffer_.Take(space);
      return space < text.size();
    }
    if (text[space] == ']') in_array_ = false;
    buffer_.Take(space + 1);
  }
}

std::size_t JsonValueReader::Find() {
  if (is_line_) return FindLineEnd();
  const char first = buffer_.text()[0];
  if (first != '{' && first != '[') {
    is_line_ = true;
    return FindLineEnd();
  }
  if (scanned_ == 0) {
    if (const std::size_t size = FindFlat(); size > 0) return size;
  }
  return FindBalanced();
}

// A line that ends in a brace, before a line that begins with a brace, is a complete or a malformed
// value. It ends here either way, because no valid JSON has these two braces in a row.
std::size_t JsonValueReader::FindFlat() {
  const std::string_view text = buffer_.text();
  if (text[0] != '{') return 0;
  const std::size_t line_feed = buffer_.LineFeed(0);
  if (line_feed == text.npos || line_feed + 1 >= text.size()) return 0;
  // Computed once per line, which may hold many values.
  if (judged_ != buffer_.offset() + line_feed) {
    judged_ = buffer_.offset() + line_feed;
    const std::size_t last = text.find_last_not_of(kSpace, line_feed);
    is_flat_ = text[last] == '}' && text[line_feed + 1] == '{' && !in_array_ &&
               MayBeOneValue(text.substr(0, last));
    flat_end_ = buffer_.offset() + last + 1;
  }
  return is_flat_ ? static_cast<std::size_t>(flat_end_ - buffer_.offset()) : 0;
}

bool JsonValueReader::MayOpen() const {
  return !in_array_ && !is_line_ && buffer_.text()[0] == '[' && buffer_.offset() >= opened_to_;
}

void JsonValueReader::OpenArray() {
  in_array_ = true;
  opened_to_ = buffer_.offset() + scanned_;
  buffer_.Take(1);
  scanner_ = JsonScanner(JsonScanner::Layout::kStrict);
  scanned_ = line_begin_ = 0;
}

std::size_t JsonValueReader::FindBalanced() {
  const std::string_view text = buffer_.text();
  // Scan an array only up to the limit: one that is longer is opened, independent of the window.
  const std::size_t size = MayOpen() ? std::min(text.size(), limits::kEventBytesMax) : text.size();
  // Line by line, because a malformed value may be cut at the beginning of a line.
  while (scanned_ < size) {
    const std::size_t end = std::min(buffer_.LineFeed(scanned_), size - 1) + 1;
    scanned_ += scanner_.Feed(text.substr(scanned_, end - scanned_));
    if (scanner_.state() == JsonScanner::State::kComplete) return scanned_;
    if (scanner_.state() == JsonScanner::State::kBroken) return CutBroken(scanned_);
    if (text[end - 1] == '\n') line_begin_ = end;
  }
  return 0;
}

std::size_t JsonValueReader::CutBroken(std::size_t at) {
  const std::string_view text = buffer_.text();
  // If the fault is at the beginning of a line, the value was truncated on the lines before.
  const bool opens_line = text.find_first_not_of(kSpace, line_begin_) == at;
  if (opens_line && line_begin_ > 0 && buffer_.dropped() == 0) return line_begin_;
  is_line_ = true;
  return FindLineEnd();
}

std::size_t JsonValueReader::FindLineEnd() {
  const std::size_t line_feed = buffer_.LineFeed(scanned_);
  const bool found = line_feed != std::string_view::npos;
  scanned_ = found ? line_feed : buffer_.text().size();
  return found ? line_feed + 1 : 0;
}

LineReader::Result JsonValueReader::AtEnd(Line* line) {
  if (!status().ok()) return Result::kError;
  if (!complete_at_end_) return Result::kEnd;
  if (const std::size_t size = buffer_.text().size(); size > 0) {
    in_array_ = false;
    return Deliver(size, line);
  }
  if (!in_array_) return Result::kEnd;
  in_array_ = false;
  *line = {.offset = buffer_.offset(), .next_offset = buffer_.offset(), .text = kUnclosedArray};
  return Result::kLine;
}

LineReader::Result JsonValueReader::Deliver(std::size_t size, Line* line) {
  const std::string_view text = buffer_.text().substr(0, size);
  line->offset = buffer_.offset();
  line->oversized = buffer_.dropped() > 0 || size > limits::kEventBytesMax;
  line->text = text.substr(0, limits::kEventBytesMax);
  line->text = line->text.substr(0, line->text.find_last_not_of(kSpace) + 1);
  buffer_.Take(size);
  line->next_offset = buffer_.offset();
  scanner_ = JsonScanner(JsonScanner::Layout::kStrict);
  scanned_ = line_begin_ = 0;
  is_line_ = false;
  return Result::kLine;
}

}  // namespace

std::unique_ptr<LineReader> NewJsonValueReader(std::unique_ptr<TextStream> stream,
                                               const LineReader::Options& options) {
  return std::make_unique<JsonValueReader>(std::move(stream), options);
}

}  // namespace tocsin

// A window over a TextStream: the bytes of the current record and those read beyond it.
//
//   TextBuffer buffer(std::move(stream), start_offset);
//   while (!found(buffer.text()) && buffer.Fill() > 0) {}
//   buffer.Take(record.size());          // advances; views are valid until the next Fill
//
// Memory: kBytes, or none while the window is empty. Use Drop to truncate a longer record. Not
// thread-safe.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>
#include <utility>

#include "core/limits.h"
#include "ingest/sources/text_stream.h"

namespace tocsin {

class TextBuffer {
 public:
  // Room for the largest event and as much to read ahead.
  static constexpr std::size_t kBytes = 2 * limits::kEventBytesMax;

  TextBuffer(std::unique_ptr<TextStream> stream, std::uint64_t offset)
      : stream_(std::move(stream)), offset_(offset) {}

  std::string_view text() const { return {bytes_.get() + begin_, end_ - begin_}; }
  // The offset of the first byte of text().
  std::uint64_t offset() const { return offset_; }
  // The number of bytes that Drop has removed since the last Take.
  std::uint64_t dropped() const { return dropped_; }

  // The index of the first line feed at or after `from`; npos: none in the window. Remembers the
  // searched range: calls in ascending order scan each byte once, even if many values share a line.
  std::size_t LineFeed(std::size_t from) {
    const std::size_t at = begin_ + from;
    if (at < clear_begin_ || at > clear_end_) clear_begin_ = clear_end_ = at;
    if (clear_end_ < end_) {
      const void* const found = std::memchr(bytes_.get() + clear_end_, '\n', end_ - clear_end_);
      clear_end_ = found == nullptr
                       ? end_
                       : static_cast<std::size_t>(static_cast<const char*>(found) - bytes_.get());
    }
    return clear_end_ < end_ ? clear_end_ - begin_ : std::string_view::npos;
  }

  // Appends bytes from the stream. Returns how many; 0 at its end, on an error, or if the window is
  // full.
  std::size_t Fill() {
    if (begin_ > 0) {
      std::memmove(bytes_.get(), bytes_.get() + begin_, end_ - begin_);
      end_ -= begin_;
      clear_begin_ -= std::min(clear_begin_, begin_);
      clear_end_ -= std::min(clear_end_, begin_);
      begin_ = 0;
    }
    if (end_ == kBytes) return 0;
    if (bytes_ == nullptr) bytes_ = std::make_unique_for_overwrite<char[]>(kBytes);
    const std::size_t count = stream_->Read(bytes_.get() + end_, kBytes - end_);
    end_ += count;
    // Frees memory: of thousands of followed files, few have unread bytes in the window.
    if (end_ == 0) bytes_ = nullptr;
    return count;
  }

  // Removes all but the first `keep` bytes of the window. Removed bytes still count for offsets.
  void Drop(std::size_t keep) {
    dropped_ += end_ - begin_ - keep;
    end_ = begin_ + keep;
    clear_begin_ = std::min(clear_begin_, end_);
    clear_end_ = std::min(clear_end_, end_);
  }

  // Advances by `size` bytes of the window and all dropped bytes.
  void Take(std::size_t size) {
    begin_ += size;
    offset_ += size + std::exchange(dropped_, 0);
  }

  const TextStream& stream() const { return *stream_; }

 private:
  std::unique_ptr<TextStream> stream_;
  std::unique_ptr<char[]> bytes_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  // There is no line feed between these two positions.
  std::size_t clear_begin_ = 0;
  std::size_t clear_end_ = 0;
  std::uint64_t offset_ = 0;
  std::uint64_t dropped_ = 0;
};

}  // namespace tocsin

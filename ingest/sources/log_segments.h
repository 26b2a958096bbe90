// Maps the offsets of a rotated log to parts of its files.
//
//   std::uint64_t offset = segments.Add(/*file=*/7, line.offset, line.next_offset);   // in the log
//   for (const LogSegments::Part& part : segments.From(offset)) …                     // read again
//
// Log offsets only increase. A new segment begins each time reading switches to another file.
// Limited to kSegmentsMax: when full(), the caller must stop switching between files until Forget
// has removed old segments. Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tocsin {

class LogSegments {
 public:
  static constexpr std::size_t kSegmentsMax = 2'048;

  struct Part {
    std::uint64_t file = 0;
    std::uint64_t from = 0, to = 0;  // in the file
    std::uint64_t offset = 0;        // of `from`, in the log
  };

  // Appends these bytes of a file to the log. Returns the log offset of `from`.
  std::uint64_t Add(std::uint64_t file, std::uint64_t from, std::uint64_t to);
  std::uint64_t end() const { return end_; }
  // Drops all segments and continues the log at `offset`.
  void Restart(std::uint64_t offset);

  // The parts from a log offset to the end, in order.
  std::vector<Part> From(std::uint64_t offset) const;
  // Drops the segments before a log offset.
  void Forget(std::uint64_t offset);
  bool Uses(std::uint64_t file) const;
  bool full() const { return segments_.size() >= kSegmentsMax; }

  // "end|file,from,offset|…"
  std::string ToText() const;
  static std::optional<LogSegments> FromText(std::string_view text);

 private:
  struct Segment {
    std::uint64_t file = 0;
    std::uint64_t from = 0;    // in the file
    std::uint64_t offset = 0;  // in the log
  };
  // Where segment `i` ends in the log.
  std::uint64_t EndOf(std::size_t i) const {
    return i + 1 < segments_.size() ? segments_[i + 1].offset : end_;
  }

  std::deque<Segment> segments_;
  std::uint64_t end_ = 0;
};

}  // namespace tocsin

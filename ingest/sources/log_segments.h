// Where the bytes of a log that is rotated lie: which part of which file each stretch of it is.
//
//   std::uint64_t offset = segments.Add(/*file=*/7, line.offset, line.next_offset);   // in the log
//   for (const LogSegments::Part& part : segments.From(offset)) …                     // read again
//
// Offsets of the log rise for ever; a file contributes a stretch each time when it is read on after
// another one was. Bounded by kSegmentsMax: whoever reads several files by turns has to stop (Full)
// until what is old is not needed any more. Not thread-safe.
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
    std::uint64_t offset = 0;        // of `from` in the log
  };

  // The log goes on with these bytes of a file; where they begin in the log.
  std::uint64_t Add(std::uint64_t file, std::uint64_t from, std::uint64_t to);
  std::uint64_t end() const { return end_; }
  // Goes on at an offset that nothing is known before of.
  void Restart(std::uint64_t offset);

  // The parts from an offset of the log on, in order.
  std::vector<Part> From(std::uint64_t offset) const;
  // Parts before it are needed no more.
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

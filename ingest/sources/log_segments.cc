#include "ingest/sources/log_segments.h"

#include <algorithm>
#include <charconv>

namespace tocsin {
namespace {

bool TakeNumber(std::string_view* text, std::uint64_t* number) {
  const auto result = std::from_chars(text->data(), text->data() + text->size(), *number);
  text->remove_prefix(static_cast<std::size_t>(result.ptr - text->data()));
  return result.ec == std::errc();
}

bool TakeChar(std::string_view* text, char c) {
  if (!text->starts_with(c)) return false;
  text->remove_prefix(1);
  return true;
}

}  // namespace

std::uint64_t LogSegments::Add(std::uint64_t file, std::uint64_t from, std::uint64_t to) {
  // Bytes between two records belong to neither, but count for offsets.
  const bool goes_on = !segments_.empty() && segments_.back().file == file &&
                       from >= segments_.back().from + (end_ - segments_.back().offset);
  if (!goes_on) segments_.push_back({.file = file, .from = from, .offset = end_});
  const Segment& last = segments_.back();
  end_ = last.offset + (to - last.from);
  return last.offset + (from - last.from);
}

void LogSegments::Restart(std::uint64_t offset) {
  segments_.clear();
  end_ = offset;
}

std::vector<LogSegments::Part> LogSegments::From(std::uint64_t offset) const {
  std::vector<Part> parts;
  for (std::size_t i = 0; i < segments_.size(); ++i) {
    const Segment& segment = segments_[i];
    const std::uint64_t end = EndOf(i);
    if (end <= offset) continue;
    const std::uint64_t begin = std::max(offset, segment.offset);
    parts.push_back({.file = segment.file,
                     .from = segment.from + (begin - segment.offset),
                     .to = segment.from + (end - segment.offset),
                     .offset = begin});
  }
  return parts;
}

void LogSegments::Forget(std::uint64_t offset) {
  while (!segments_.empty() && EndOf(0) <= offset) segments_.pop_front();
}

bool LogSegments::Uses(std::uint64_t file) const {
  return std::any_of(segments_.begin(), segments_.end(),
                     [file](const Segment& segment) { return segment.file == file; });
}

std::string LogSegments::ToText() const {
  std::string text = std::to_string(end_);
  for (const Segment& segment : segments_) {
    text += '|' + std::to_string(segment.file) + ',' + std::to_string(segment.from) + ',' +
            std::to_string(segment.offset);
  }
  return text;
}

std::optional<LogSegments> LogSegments::FromText(std::string_view text) {
  LogSegments read;
  if (!TakeNumber(&text, &read.end_) || read.end_ > INT64_MAX) return std::nullopt;
  while (TakeChar(&text, '|')) {
    Segment segment;
    if (!TakeNumber(&text, &segment.file) || !TakeChar(&text, ',') ||
        !TakeNumber(&text, &segment.from) || !TakeChar(&text, ',') ||
        !TakeNumber(&text, &segment.offset)) {
      return std::nullopt;
    }
    const std::uint64_t before = read.segments_.empty() ? 0 : read.segments_.back().offset;
    if (segment.offset < before || segment.offset > read.end_ || segment.from > INT64_MAX ||
        read.segments_.size() == kSegmentsMax + 1) {
      return std::nullopt;
    }
    read.segments_.push_back(segment);
  }
  if (!text.empty()) return std::nullopt;
  return read;
}

}  // namespace tocsin

// Splits a record of a text format into lines, for every decoder that reads lines.
//
//   ForEachLine(record, sink, [&](std::string_view line) { … });
//
// A record from a file is always one line; a Kafka record may hold several. Lines end in LF or
// CR LF; the last one may end in neither. Empty lines are skipped. A line larger than
// limits::kEventBytesMax (a line of a file is cut one byte past that) goes to the sink as
// undecodable.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string_view>

#include "core/limits.h"
#include "ingest/decoder.h"

namespace tocsin {

inline constexpr std::string_view kLineTooLong = "larger than 1 MiB";

// Removes the first line from `record`. Returns false if the line is empty or too large; a line
// that is too large goes to the sink.
inline bool TakeLine(std::string_view* record, EventSink* sink, std::string_view* line) {
  const std::size_t end = std::min(record->find('\n'), record->size());
  *line = record->substr(0, end);
  record->remove_prefix(std::min(end + 1, record->size()));
  if (line->ends_with('\r')) line->remove_suffix(1);
  if (line->size() > limits::kEventBytesMax) {
    sink->OnUndecodable(*line, kLineTooLong);
    return false;
  }
  return !line->empty();
}

// Removes the end of a line that was already read. REQUIRES: `record` begins with that line end.
inline void SkipLineEnd(std::string_view* record) {
  if (record->starts_with('\r')) record->remove_prefix(1);
  if (!record->empty()) record->remove_prefix(1);
}

template <typename Visit>
void ForEachLine(std::string_view record, EventSink* sink, Visit visit) {
  std::string_view line;
  while (!record.empty()) {
    if (TakeLine(&record, sink, &line)) visit(line);
  }
}

}  // namespace tocsin

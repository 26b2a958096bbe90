// The lines of a record of a text format, for every decoder that reads lines.
//
//   ForEachLine(record, sink, [&](std::string_view line) { … });
//
// A record is usually one line (of a file, always); a Kafka record may hold several. Lines end in
// LF or CR LF, the last one perhaps in neither. Empty ones are no lines. One that is larger than
// limits::kEventBytesMax (a file's line is cut just past that) goes to the sink as undecodable.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string_view>

#include "core/limits.h"
#include "ingest/decoder.h"

namespace tocsin {

inline constexpr std::string_view kLineTooLong = "larger than 1 MiB";

// Takes a line off the front of what is left of a record; false: there was none to read.
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

// Where a line has been read already. REQUIRES: the record begins with its end.
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

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

template <typename Visit>
void ForEachLine(std::string_view record, EventSink* sink, Visit visit) {
  while (!record.empty()) {
    const std::size_t end = std::min(record.find('\n'), record.size());
    std::string_view line = record.substr(0, end);
    record.remove_prefix(std::min(end + 1, record.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.size() > limits::kEventBytesMax) {
      sink->OnUndecodable(line, "larger than 1 MiB");
    } else if (!line.empty()) {
      visit(line);
    }
  }
}

}  // namespace tocsin

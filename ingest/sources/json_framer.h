// Splits a file into JSON values in any layout: one per line, pretty-printed, or in one array.
//
//   std::unique_ptr<LineReader> reader = NewJsonValueReader(std::move(stream), options);
//
// An array of up to limits::kEventBytesMax is one record; of a longer array each element is one.
// Malformed text becomes a record that ends at a line end, so that a truncated line does not
// swallow the valid lines after it; the decoder counts it as undecodable. One value per line costs
// only a search for the line feed; other layouts cost a scan of all bytes. Not thread-safe.
#pragma once

#include <memory>

#include "ingest/sources/line_reader.h"
#include "ingest/sources/text_stream.h"

namespace tocsin {

std::unique_ptr<LineReader> NewJsonValueReader(std::unique_ptr<TextStream> stream,
                                               const LineReader::Options& options);

}  // namespace tocsin

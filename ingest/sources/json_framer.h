// Cuts a file into JSON values, however they are laid out: one a line, pretty-printed, in one
// array.
//
// An array of up to limits::kEventBytesMax is one record; of a longer one, each element is. Broken
// text is handed over up to a line end, so that a line that was cut short does not take the good
// ones behind it along; the decoder counts what is in it. Values that are one a line cost a search
// for the line feed, others a scan of their bytes.
#pragma once

#include <memory>

#include "ingest/sources/line_reader.h"
#include "ingest/sources/text_stream.h"

namespace tocsin {

std::unique_ptr<LineReader> NewJsonValueReader(std::unique_ptr<TextStream> stream,
                                               const LineReader::Options& options);

}  // namespace tocsin

// Reads records (lines) from a file, the folder of a record log, or stdin; .gz and .zst as they are.
//
//   TOCSIN_ASSIGN_OR_RETURN(std::unique_ptr<LineReader> reader, OpenLineReader("logs/a.log.gz"));
//   LineReader::Line line;
//   while (reader->Next(&line) == LineReader::Result::kLine) …   // line.offset, line.text
//
// A JSON file is "a sequence of JSON values, however laid out": with Framing::kJsonValues each
// top-level value is a record (json_framer.h says how). Offsets are bytes of the decompressed text,
// so that a position can be committed and sought again. A record longer than limits::kEventBytesMax
// is handed over cut (a line one byte past that, so that a decoder sees it), with `oversized` set,
// and the rest skipped. With Framing::kPayload the file is one record. Bounded memory: one buffer
// of twice that, and what the decompression takes (text_stream.h). Not thread-safe.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "ingest/framing.h"
#include "ingest/sources/line_reader.h"

namespace tocsin {

class TextStream;

absl::StatusOr<std::unique_ptr<LineReader>> OpenLineReader(const std::string& path,
                                                           const LineReader::Options& options = {});
// Over a text that stands at `options.start_offset`. REQUIRES: framing other than kJsonOrPayload.
std::unique_ptr<LineReader> LineReaderOver(std::unique_ptr<TextStream> stream,
                                           const LineReader::Options& options);

// Whether these first bytes of a record are JSON's, and not those of an OTLP request behind its
// length, as CloudWatch's metric streams have one or the other.
bool BeginsAsJson(std::string_view bytes);

// Which of the two a file of framing kJsonOrPayload is.
absl::StatusOr<Framing> FramingIn(const std::string& path, Framing framing);

}  // namespace tocsin

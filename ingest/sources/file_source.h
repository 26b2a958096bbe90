// Reads records, such as lines, from a file, the folder of a record log, or stdin. Decompresses
// gzip and zstd.
//
//   TOCSIN_ASSIGN_OR_RETURN(std::unique_ptr<LineReader> reader, OpenLineReader("logs/a.log.gz"));
//   LineReader::Line line;
//   while (reader->Next(&line) == LineReader::Result::kLine) …   // line.offset, line.text
//
// A JSON file is a sequence of JSON values in any layout: with Framing::kJsonValues each top-level
// value is a record (see json_framer.h). With Framing::kPayload the file is one record. Offsets
// count bytes of the decompressed text, so that a position can be committed and sought to again. A
// record longer than limits::kEventBytesMax is truncated (a line to one byte more, so that the
// decoder notices) and has `oversized` set. Memory is bounded: one buffer of twice that size, plus
// what decompression needs (text_stream.h). Not thread-safe.
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
// Reads from a stream that is positioned at `options.start_offset`. REQUIRES: a framing other than
// kJsonOrPayload.
std::unique_ptr<LineReader> LineReaderOver(std::unique_ptr<TextStream> stream,
                                           const LineReader::Options& options);

// Whether a record that begins with these bytes is JSON rather than a length-prefixed OTLP request.
// CloudWatch metric streams have either of the two.
bool BeginsAsJson(std::string_view bytes);

// Resolves kJsonOrPayload from the first bytes of the file; returns other framings unchanged.
absl::StatusOr<Framing> FramingIn(const std::string& path, Framing framing);

}  // namespace tocsin

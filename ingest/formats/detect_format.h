// `format: auto`: the format of a file, told by its first lines.
//
//   InputConfig input = configured;                              // input.format is "auto"
//   TOCSIN_RETURN_IF_ERROR(ResolveFormat(file.path, &input));    // now it is "clf"
//
// prometheus-text where the first line is one of its comments; a text format (postgres, clf, alb,
// pgbouncer, syslog, logfmt, influx) where more than half of the first lines that say anything
// become events; else, where the text begins with a bracket, the preset whose keys stand in more
// than half of the lines, the vendor's document whose keys stand in any, or json. The same file
// gives the same answer, however much it grows past its first 100 lines. Other formats have to be
// named.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "config/config.h"

namespace tocsin {

inline constexpr std::string_view kAutoFormat = "auto";

// Does nothing for an input whose format is named. InvalidArgument when the file is empty, of no
// format that can be told, or stdin, which cannot be read twice; as LineReader for what cannot be
// read.
absl::Status ResolveFormat(const std::string& path, InputConfig* input);

}  // namespace tocsin

// `format: auto`: detects the format of a file from its first 100 lines.
//
//   InputConfig input = configured;                              // input.format is "auto"
//   TOCSIN_RETURN_IF_ERROR(ResolveFormat(file.path, &input));    // now it is "clf"
//
// Tried in this order:
// 1. prometheus-text, if the first line is a # HELP or # TYPE comment;
// 2. a text format (postgres, clf, alb, pgbouncer, syslog, logfmt, influx), if it decodes more
//    lines than it rejects;
// 3. if the file begins with a brace or bracket: the JSON preset whose keys are in more than half
//    of the lines, else the vendor document whose keys are in any of them, else json.
// The result stays the same when the file grows past its first 100 lines. Other formats have to be
// named.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "config/config.h"

namespace tocsin {

inline constexpr std::string_view kAutoFormat = "auto";

// Does nothing for an input whose format is named. InvalidArgument if the file is empty, if its
// format cannot be detected, or for stdin, which cannot be read twice. If the file cannot be read,
// the error of LineReader.
absl::Status ResolveFormat(const std::string& path, InputConfig* input);

}  // namespace tocsin

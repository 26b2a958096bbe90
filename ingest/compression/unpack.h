// Decompresses an HTTP body according to its Content-Encoding into bounded memory.
//
//   std::string text;
//   fault = Unpack("gzip", body, limits::kPayloadBytesMax, &text);    // empty: success
//
// Supports gzip, deflate (zlib) and zstd. A fault is a static string. Thread-safe: a pure function.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace tocsin {

inline constexpr std::string_view kUnknownEncoding = "unknown content encoding";

std::string_view Unpack(std::string_view encoding, std::string_view bytes, std::size_t bytes_max,
                        std::string* text);

}  // namespace tocsin

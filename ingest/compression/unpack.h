// Decompresses an HTTP body, as its Content-Encoding says, into bounded memory.
//
//   std::string text;
//   fault = Unpack("gzip", body, limits::kPayloadBytesMax, &text);    // empty: all went well
//
// gzip, deflate (zlib) and zstd. A fault is a static text. Thread-safe: a pure function.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace tocsin {

inline constexpr std::string_view kUnknownEncoding = "an encoding that is not known";

std::string_view Unpack(std::string_view encoding, std::string_view bytes, std::size_t bytes_max,
                        std::string* text);

}  // namespace tocsin

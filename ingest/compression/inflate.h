// Decompresses a complete gzip or zlib message into bounded memory.
//
//   std::string text;
//   if (IsDeflated(bytes)) fault = Inflate(bytes, 8 << 20, &text);    // empty: success
//
// Returns a static string when the output would exceed the limit, or the input is truncated,
// corrupt, or followed by other bytes. The capacity of `text` is reused between calls. Thread-safe:
// pure functions.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace tocsin {

// Whether the first bytes are a gzip or zlib header.
bool IsDeflated(std::string_view bytes);

std::string_view Inflate(std::string_view bytes, std::size_t bytes_max, std::string* text);

}  // namespace tocsin

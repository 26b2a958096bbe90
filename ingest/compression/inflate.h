// Decompresses a message that came in one piece, gzip or zlib, into bounded memory.
//
//   std::string text;
//   if (IsDeflated(bytes)) fault = Inflate(bytes, 8 << 20, &text);    // empty: all went well
//
// What would be longer than the limit, is cut short, damaged, or followed by anything is a fault, a
// static text. The capacity of `text` is kept from call to call. Thread-safe: pure functions.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace tocsin {

// By the first bytes.
bool IsDeflated(std::string_view bytes);

std::string_view Inflate(std::string_view bytes, std::size_t bytes_max, std::string* text);

}  // namespace tocsin

// Kinds of ASCII characters, whatever the locale.
//
//   if (IsDigit(text[0])) …
#pragma once

namespace tocsin {

constexpr bool IsDigit(char c) { return c >= '0' && c <= '9'; }
constexpr bool IsUpper(char c) { return c >= 'A' && c <= 'Z'; }

}  // namespace tocsin

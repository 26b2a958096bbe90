// Kinds of ASCII characters, whatever the locale.
//
//   if (IsDigit(text[0])) …
#pragma once

namespace tocsin {

constexpr bool IsDigit(char c) { return c >= '0' && c <= '9'; }
constexpr bool IsUpper(char c) { return c >= 'A' && c <= 'Z'; }
// 0 to 15; -1 when it is not a hexadecimal digit.
constexpr int HexDigit(char c) {
  if (IsDigit(c)) return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

}  // namespace tocsin

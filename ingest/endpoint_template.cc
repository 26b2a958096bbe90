#include "ingest/endpoint_template.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

namespace tocsin {
namespace {

constexpr std::string_view kId = ":id";
// Shorter ones are words, versions and colours as often as ids.
constexpr std::size_t kHexDigitsMin = 16;

// What the characters of a segment are, one bit each.
enum : std::uint8_t { kDigit = 1, kHexLetter = 2, kDash = 4, kOther = 8, kEnd = 16 };

constexpr std::array<std::uint8_t, 256> kClasses = [] {
  std::array<std::uint8_t, 256> classes{};
  for (std::size_t c = 0; c < classes.size(); ++c) {
    const bool hex_letter = (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
    classes[c] = c >= '0' && c <= '9' ? kDigit
                 : hex_letter         ? kHexLetter
                 : c == '-'           ? kDash
                                      : kOther;
  }
  for (const char end : {'/', '?', '#'}) classes[static_cast<std::size_t>(end)] = kEnd;
  return classes;
}();

std::uint8_t ClassOf(char c) { return kClasses[static_cast<unsigned char>(c)]; }

// REQUIRES: hexadecimal digits and dashes only.
bool IsUuid(std::string_view segment) {
  if (segment.size() != 36) return false;
  for (std::size_t i = 0; i < segment.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash != (segment[i] == '-')) return false;
  }
  return true;
}

// `classes` are those of the segment's characters.
bool IsId(std::string_view segment, unsigned classes) {
  if (classes == kDigit) return true;
  if ((classes & kOther) != 0 || segment.size() < kHexDigitsMin) return false;
  // A long word of a to f alone is no id.
  return (classes & kDash) != 0 ? IsUuid(segment) : (classes & kDigit) != 0;
}

// Cuts at a limit, but not inside a UTF-8 sequence.
std::string_view CutText(std::string_view text, std::size_t bytes_max) {
  if (text.size() <= bytes_max) return text;
  std::size_t size = bytes_max;
  while (size > 0 && (static_cast<unsigned char>(text[size]) & 0xC0) == 0x80) --size;
  return text.substr(0, size);
}

}  // namespace

void EndpointTemplate::Append(std::string_view text) {
  if (full_) return;
  const std::string_view cut = CutText(text, buffer_.size() - size_);
  std::copy(cut.begin(), cut.end(), buffer_.data() + size_);
  size_ += cut.size();
  full_ = cut.size() < text.size();
}

std::string_view EndpointTemplate::Apply(std::string_view path) {
  std::size_t copied = 0;  // the part of the path that is in the buffer already
  std::size_t begin = 0;   // of the segment at hand
  std::size_t at = 0;
  size_ = 0;
  full_ = false;
  unsigned classes = 0;
  for (;; ++at) {
    for (std::uint8_t next; at < path.size() && (next = ClassOf(path[at])) != kEnd; ++at) {
      classes |= next;
    }
    const bool end = at == path.size() || path[at] != '/';
    if (IsId(path.substr(begin, at - begin), std::exchange(classes, 0u))) {
      Append(path.substr(copied, begin - copied));
      Append(kId);
      copied = at;
    }
    // Nothing past the limit is kept; ids only shrink by so much that twice of it is enough to look
    // at.
    if (end || at >= 64 * kBytesMax) break;
    begin = at + 1;
  }
  if (copied == 0) return CutText(path.substr(0, at), kBytesMax);
  Append(path.substr(copied, at - copied));
  return {buffer_.data(), size_};
}

}  // namespace tocsin

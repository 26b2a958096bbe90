#include "ingest/endpoint_template.h"

#include <algorithm>

namespace tocsin {
namespace {

constexpr std::string_view kId = ":id";
// Shorter ones are words, versions and colours as often as ids.
constexpr std::size_t kHexDigitsMin = 16;

constexpr bool IsDigit(char c) { return c >= '0' && c <= '9'; }
constexpr bool IsHex(char c) {
  return IsDigit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

bool IsUuid(std::string_view segment) {
  if (segment.size() != 36) return false;
  for (std::size_t i = 0; i < segment.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash ? segment[i] != '-' : !IsHex(segment[i])) return false;
  }
  return true;
}

bool IsId(std::string_view segment) {
  if (segment.empty() || !IsHex(segment.front())) return false;
  if (std::all_of(segment.begin(), segment.end(), IsDigit)) return true;
  if (segment.size() < kHexDigitsMin) return false;
  if (IsUuid(segment)) return true;
  // A long word of a to f alone is no id.
  return std::all_of(segment.begin(), segment.end(), IsHex) &&
         std::any_of(segment.begin(), segment.end(), IsDigit);
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
  for (;; ++at) {
    const bool end = at == path.size() || path[at] == '?' || path[at] == '#';
    if (!end && path[at] != '/') continue;
    if (const std::string_view segment = path.substr(begin, at - begin); IsId(segment)) {
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

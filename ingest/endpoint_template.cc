#include "ingest/endpoint_template.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <utility>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

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

#ifdef __SSE2__
// REQUIRES: digits, letters a to f and dashes only, not digits alone.
bool IsId(std::string_view segment) {
  if (segment.size() < kHexDigitsMin) return false;
  if (segment.find('-') != segment.npos) return IsUuid(segment);
  return segment.find_first_of("0123456789") != segment.npos;
}
#endif

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

#ifdef __SSE2__
// What the characters of up to 63 bytes are, a bit each, the first byte's the lowest.
struct CharacterBits {
  std::uint64_t digit = 0;
  std::uint64_t id = 0;  // digits, letters a to f, dashes
  std::uint64_t slash = 0;
  std::uint64_t stop = 0;  // ? and #

  void Add(__m128i text, unsigned shift) {
    const auto is = [&](char c) { return _mm_cmpeq_epi8(text, _mm_set1_epi8(c)); };
    // Unsigned: what is less than `first` wraps around and is more than `last`.
    const auto within = [](__m128i characters, char first, char last) {
      const __m128i above = _mm_sub_epi8(characters, _mm_set1_epi8(first));
      return _mm_cmpeq_epi8(_mm_min_epu8(above, _mm_set1_epi8(static_cast<char>(last - first))),
                            above);
    };
    const auto mask = [&](__m128i found) {
      return static_cast<std::uint64_t>(static_cast<unsigned>(_mm_movemask_epi8(found))) << shift;
    };
    const __m128i digits = within(text, '0', '9');
    const __m128i letters = within(_mm_or_si128(text, _mm_set1_epi8(0x20)), 'a', 'f');
    digit |= mask(digits);
    id |= mask(_mm_or_si128(_mm_or_si128(digits, letters), is('-')));
    slash |= mask(is('/'));
    stop |= mask(_mm_or_si128(is('?'), is('#')));
  }
};

// REQUIRES: path.size() < 64.
CharacterBits BitsOf(std::string_view path) {
  CharacterBits bits;
  const auto load = [](const char* bytes) {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes));
  };
  if (path.size() < 16) {
    alignas(16) char bytes[16] = {};
    std::copy(path.begin(), path.end(), bytes);
    bits.Add(load(bytes), 0);
    return bits;
  }
  const std::size_t last = path.size() - 16;
  for (std::size_t at = 0; at < last; at += 16) {
    bits.Add(load(path.data() + at), static_cast<unsigned>(at));
  }
  // The bytes that it shares with the block before say the same again.
  bits.Add(load(path.data() + last), static_cast<unsigned>(last));
  return bits;
}
#endif

}  // namespace

void EndpointTemplate::Append(std::string_view text) {
  if (full_) return;
  const std::string_view cut = CutText(text, buffer_.size() - size_);
  std::copy(cut.begin(), cut.end(), buffer_.data() + size_);
  size_ += cut.size();
  full_ = cut.size() < text.size();
}

#ifdef __SSE2__
std::string_view EndpointTemplate::ApplyShort(std::string_view path) {
  CharacterBits bits = BitsOf(path);
  bits.stop |= std::uint64_t{1} << path.size();
  const std::uint64_t stop = bits.stop & (0 - bits.stop);  // the first one
  const std::uint64_t ends = (bits.slash & (stop - 1)) | stop;
  const std::uint64_t begins = (ends << 1) | 1;
  const std::uint64_t id = bits.id & (stop - 1);
  path = path.substr(0, static_cast<std::size_t>(std::countr_zero(stop)));
  // Adding a bit where a segment begins carries through all its characters that may be of an id, to
  // the first that may not; where that is the segment's end, all may.
  std::uint64_t candidates = ((begins & id) + id) & ~id & ends;
  std::size_t copied = 0;  // the part of the path that is in the buffer already
  size_ = 0;
  full_ = false;
  for (; candidates != 0; candidates &= candidates - 1) {
    const std::uint64_t before = (candidates & (0 - candidates)) - 1;
    const auto end = static_cast<std::size_t>(std::countr_zero(candidates));
    const std::size_t begin = 63 - static_cast<std::size_t>(std::countl_zero(begins & before));
    const std::uint64_t segment = before & ~((std::uint64_t{1} << begin) - 1);
    if ((segment & ~bits.digit) != 0 && !IsId(path.substr(begin, end - begin))) continue;
    Append(path.substr(copied, begin - copied));
    Append(kId);
    copied = end;
  }
  if (copied == 0) return path;
  Append(path.substr(copied));
  return {buffer_.data(), size_};
}
#endif

std::string_view EndpointTemplate::ApplyAny(std::string_view path) {
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

#include "ingest/fields/endpoint_template.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <utility>

namespace tocsin {
namespace {

constexpr std::string_view kId = ":id";
// Shorter hexadecimal strings are as often words, versions or colours as ids.
constexpr std::size_t kHexDigitsMin = 16;

// Character classes of a segment, one bit each.
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

// `classes`: all classes that occur in the segment.
bool IsId(std::string_view segment, unsigned classes) {
  if (classes == kDigit) return true;
  if ((classes & kOther) != 0 || segment.size() < kHexDigitsMin) return false;
  // A long word of the letters a to f only is not an id.
  return (classes & kDash) != 0 ? IsUuid(segment) : (classes & kDigit) != 0;
}

// Truncates to `bytes_max`, but not inside a UTF-8 sequence.
std::string_view CutText(std::string_view text, std::size_t bytes_max) {
  if (text.size() <= bytes_max) return text;
  std::size_t size = bytes_max;
  while (size > 0 && (static_cast<unsigned char>(text[size]) & 0xC0) == 0x80) --size;
  return text.substr(0, size);
}

#ifdef TOCSIN_AVX2
// The character classes of up to 63 bytes: one bit per byte, the lowest for the first.
struct CharacterBits {
  std::uint64_t digit = 0;
  std::uint64_t hex = 0;  // digits and letters a to f
  std::uint64_t dash = 0;
  std::uint64_t slash = 0;
  std::uint64_t stop = 0;  // ? and #
};

// A character's class is the bitwise AND of the table entries of its two nibbles. Each table is
// stored twice, for the two halves of a register. The masks are loaded from memory, which is faster
// than computing them.
enum : std::uint8_t {
  kIsDigit = 1,
  kIsLetter = 2,
  kIsDash = 4,
  kIsSlash = 8,
  kIsQuery = 16,
  kIsFragment = 32,
};
using Bytes32 = std::array<std::uint8_t, 32>;

constexpr Bytes32 Twice(const std::array<std::uint8_t, 16>& table) {
  Bytes32 twice{};
  for (std::size_t i = 0; i < twice.size(); ++i) twice[i] = table[i % table.size()];
  return twice;
}
constexpr Bytes32 Each(std::uint8_t byte) {
  Bytes32 all{};
  all.fill(byte);
  return all;
}

alignas(32) constexpr Bytes32 kLowHalves = [] {
  std::array<std::uint8_t, 16> table{};
  for (std::size_t i = 0; i <= 9; ++i) table[i] |= kIsDigit;
  for (std::size_t i = 1; i <= 6; ++i) table[i] |= kIsLetter;
  table[0x3] |= kIsFragment;
  table[0xD] |= kIsDash;
  table[0xF] |= kIsSlash | kIsQuery;
  return Twice(table);
}();
alignas(32) constexpr Bytes32 kHighHalves = [] {
  std::array<std::uint8_t, 16> table{};
  table[2] = kIsDash | kIsSlash | kIsFragment;
  table[3] = kIsDigit | kIsQuery;
  table[4] = table[6] = kIsLetter;
  return Twice(table);
}();
alignas(32) constexpr Bytes32 kHalf = Each(0x0F);
alignas(32) constexpr Bytes32 kHexClasses = Each(kIsDigit | kIsLetter);
alignas(32) constexpr Bytes32 kStopClasses = Each(kIsQuery | kIsFragment);
// Adding these carries into the highest bit if any of the classes is set.
alignas(32) constexpr Bytes32 kHexCarry = Each(0x80 - kIsDigit);
alignas(32) constexpr Bytes32 kStopCarry = Each(0x80 - kIsQuery);

TOCSIN_AVX2 inline __m256i Aligned(const Bytes32& bytes) {
  return _mm256_load_si256(reinterpret_cast<const __m256i*>(bytes.data()));
}

TOCSIN_AVX2 inline CharacterBits BitsOf(__m256i text) {
  const __m256i upper = _mm256_and_si256(_mm256_srli_epi16(text, 4), Aligned(kHalf));
  const __m256i classes = _mm256_and_si256(_mm256_shuffle_epi8(Aligned(kLowHalves), text),
                                           _mm256_shuffle_epi8(Aligned(kHighHalves), upper));
  const __m256i hex =
      _mm256_add_epi8(_mm256_and_si256(classes, Aligned(kHexClasses)), Aligned(kHexCarry));
  const __m256i stop =
      _mm256_add_epi8(_mm256_and_si256(classes, Aligned(kStopClasses)), Aligned(kStopCarry));
  const auto highest = [](int mask) { return static_cast<std::uint32_t>(mask); };
  return {.digit = highest(_mm256_movemask_epi8(_mm256_slli_epi16(classes, 7))),
          .hex = highest(_mm256_movemask_epi8(hex)),
          .dash = highest(_mm256_movemask_epi8(_mm256_slli_epi16(classes, 5))),
          .slash = highest(_mm256_movemask_epi8(_mm256_slli_epi16(classes, 4))),
          .stop = highest(_mm256_movemask_epi8(stop))};
}

// The bits of two blocks, the second `distance` bytes after the first; they may overlap.
inline CharacterBits Joined(const CharacterBits& a, const CharacterBits& b, std::size_t distance) {
  return {.digit = a.digit | (b.digit << distance),
          .hex = a.hex | (b.hex << distance),
          .dash = a.dash | (b.dash << distance),
          .slash = a.slash | (b.slash << distance),
          .stop = a.stop | (b.stop << distance)};
}

template <typename Word>
std::uint64_t Load(const char* bytes) {
  Word word;
  std::memcpy(&word, bytes, sizeof word);
  return word;
}

// Loads fewer than 16 bytes, padded with zeros, without reading beyond the text.
TOCSIN_AVX2 inline __m128i LoadFew(std::string_view text) {
  const char* const at = text.data();
  const std::size_t size = text.size();
  const auto bits = [](std::size_t bytes) { return static_cast<unsigned>(8 * bytes); };
  std::uint64_t low = 0;
  std::uint64_t high = 0;
  if (size >= 8) {
    low = Load<std::uint64_t>(at);
    high = Load<std::uint64_t>(at + size - 8) >> bits(15 - size) >> 8;
  } else if (size >= 4) {
    low = Load<std::uint32_t>(at) | (Load<std::uint32_t>(at + size - 4) << bits(size - 4));
  } else if (size > 0) {
    low = Load<std::uint8_t>(at) | (Load<std::uint8_t>(at + size / 2) << bits(size / 2)) |
          (Load<std::uint8_t>(at + size - 1) << bits(size - 1));
  }
  return _mm_set_epi64x(static_cast<std::int64_t>(high), static_cast<std::int64_t>(low));
}

TOCSIN_AVX2 inline __m128i Load16(const char* bytes) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes));
}
TOCSIN_AVX2 inline __m256i Load32(const char* bytes) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(bytes));
}
TOCSIN_AVX2 inline void Store16(__m128i block, char* to) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to), block);
}
TOCSIN_AVX2 inline void Store32(__m256i block, char* to) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), block);
}

// REQUIRES, here and below: fewer than 64 bytes.
TOCSIN_AVX2 inline CharacterBits BitsOf(std::string_view path) {
  const std::size_t size = path.size();
  if (size < 16) return BitsOf(_mm256_zextsi128_si256(LoadFew(path)));
  const char* const end = path.data() + size;
  if (size > 32) return Joined(BitsOf(Load32(path.data())), BitsOf(Load32(end - 32)), size - 32);
  const CharacterBits both = BitsOf(_mm256_set_m128i(Load16(end - 16), Load16(path.data())));
  const CharacterBits first{.digit = both.digit & 0xFFFF,
                            .hex = both.hex & 0xFFFF,
                            .dash = both.dash & 0xFFFF,
                            .slash = both.slash & 0xFFFF,
                            .stop = both.stop & 0xFFFF};
  const CharacterBits last{.digit = both.digit >> 16,
                           .hex = both.hex >> 16,
                           .dash = both.dash >> 16,
                           .slash = both.slash >> 16,
                           .stop = both.stop >> 16};
  return Joined(first, last, size - 16);
}

// Returns the end of the copy. May write up to 16 bytes beyond it.
TOCSIN_AVX2 inline char* Copy(std::string_view text, char* to) {
  const std::size_t size = text.size();
  const char* const end = text.data() + size;
  if (size < 16) {
    Store16(LoadFew(text), to);
  } else if (size <= 32) {
    Store16(Load16(text.data()), to);
    Store16(Load16(end - 16), to + size - 16);
  } else {
    Store32(Load32(text.data()), to);
    Store32(Load32(end - 32), to + size - 32);
  }
  return to + size;
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

#ifdef TOCSIN_AVX2
TOCSIN_AVX2 std::string_view EndpointTemplate::ApplyShort(std::string_view path) {
  CharacterBits bits = BitsOf(path);
  bits.stop |= std::uint64_t{1} << path.size();
  const std::uint64_t stop = bits.stop & (0 - bits.stop);  // the first one
  const std::uint64_t ends = (bits.slash & (stop - 1)) | stop;
  const std::uint64_t begins = (ends << 1) | 1;
  const std::uint64_t id = (bits.hex | bits.dash) & (stop - 1);
  path = {path.data(), static_cast<std::size_t>(std::countr_zero(stop))};
  // Adding a bit at the beginning of a segment carries through all characters that an id may have,
  // up to the first other one. If that is the end of the segment, the segment may be an id.
  std::uint64_t candidates = ((begins & id) + id) & ~id & ends;
  if (candidates == 0) return path;
  static_assert(kBytesMax >= 3 * kShortBytes);
  std::size_t copied = 0;  // the part of the path that is in the buffer already
  char* to = buffer_.data();
  for (; candidates != 0; candidates &= candidates - 1) {
    const std::uint64_t before = (candidates & (0 - candidates)) - 1;
    const auto end = static_cast<std::size_t>(std::countr_zero(candidates));
    const std::size_t begin = 63 - static_cast<std::size_t>(std::countl_zero(begins & before));
    const std::uint64_t segment = before & ~((std::uint64_t{1} << begin) - 1);
    if ((segment & ~bits.digit) != 0) {
      if (end - begin < kHexDigitsMin) continue;
      const bool is_id = (segment & bits.dash) != 0 ? IsUuid({path.data() + begin, end - begin})
                                                    : (segment & bits.digit) != 0;
      if (!is_id) continue;
    }
    to = Copy({path.data() + copied, begin - copied}, to);
    to = std::copy(kId.begin(), kId.end(), to);
    copied = end;
  }
  if (copied == 0) return path;
  to = Copy({path.data() + copied, path.size() - copied}, to);
  return {buffer_.data(), static_cast<std::size_t>(to - buffer_.data())};
}
#endif

std::string_view EndpointTemplate::ApplyAny(std::string_view path) {
  std::size_t copied = 0;  // the part of the path that is in the buffer already
  std::size_t begin = 0;   // of the current segment
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
    // Bounds the work on a long path: the result keeps at most kBytesMax bytes.
    if (end || at >= 64 * kBytesMax) break;
    begin = at + 1;
  }
  if (copied == 0) return CutText(path.substr(0, at), kBytesMax);
  Append(path.substr(copied, at - copied));
  return {buffer_.data(), size_};
}

}  // namespace tocsin
